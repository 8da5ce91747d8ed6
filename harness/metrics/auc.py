"""Area under the cumulative error distribution (AUC)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.protocol import THRESHOLD

__all__ = ["auc", "auc_hrnet", "auc_per_face"]

Array = NDArray[np.float64]


def auc(nme: ArrayLike, threshold: float = THRESHOLD) -> float:
    """Area under the cumulative error distribution from 0 to ``threshold``, as a fraction of ``threshold``.

    This is the exact integral of the step function, ``mean(max(0, threshold - nme)) / threshold``, which is the mean
    of :func:`auc_per_face` up to rounding. Most published numbers come from a grid approximation, :func:`auc_hrnet`.
    A face whose NME is NaN contributes 0.

    Source: H. Yang, X. Jia, C. C. Loy and P. Robinson, "An Empirical Study of Recent Face Alignment Methods",
    arXiv 1511.05049 (2015).

    Args:
        nme: ``[N]`` percent.
        threshold: percent.

    Returns:
        Fraction in [0, 1]; NaN without faces.

    Example:
        >>> auc([2.0, 6.0, 14.0])
        0.4
    """
    below = _below_threshold(nme, threshold)
    # One division after the mean: stored scores depend on this order of operations.
    return float(below.mean() / threshold) if below.size else float("nan")


def auc_per_face(nme: ArrayLike, threshold: float = THRESHOLD) -> Array:
    """Contribution of each face to the AUC: ``max(0, threshold - nme) / threshold``.

    Source: the definition of :func:`auc`, before the mean over faces.

    Args:
        nme: percent, any shape.
        threshold: percent.

    Returns:
        Fractions in [0, 1], float64, of the shape of ``nme``; 0 where the NME is NaN.

    Example:
        >>> auc_per_face([2.0, 6.0, 14.0]).tolist()
        [0.8, 0.4, 0.0]
    """
    contributions: Array = _below_threshold(nme, threshold) / threshold
    return contributions


def _below_threshold(nme: ArrayLike, threshold: float) -> Array:
    """Threshold minus NME, in percent points; 0 at or above the threshold and for NaN."""
    below: Array = np.fmax(threshold - np.asarray(nme, np.float64), 0.0)
    return below


def auc_hrnet(nme: ArrayLike, threshold: float = THRESHOLD, step: float = 0.01) -> float:
    """AUC by Simpson's rule on a grid, as most papers' scripts compute it. Use it for parity only.

    The grid is ``np.arange(0, threshold + step, step)`` in fractions. For some thresholds (0.05 and 0.07 with a step
    of 0.0001) it has one point too many; this function keeps that point.

    Source: HRNet/HRNet-Facial-Landmark-Detection, issue 6, comment 503898737; STAR, ADNet, PIPNet, HIH, LDEQ and FaRL
    copied it.

    Args:
        nme: ``[N]`` percent.
        threshold: percent.
        step: percent.

    Returns:
        Fraction; the extra grid point can push it outside [0, 1]. NaN without faces.

    Example:
        >>> round(auc_hrnet([2.0, 6.0, 14.0]), 3)
        0.4
    """
    from scipy.integrate import simpson  # takes half a second to import

    # Whether the extra point appears depends on the grid's last bit: compute in fractions, as the scripts do.
    values = np.sort(np.asarray(nme, np.float64) / 100.0)
    if not values.size:
        return float("nan")
    limit, width = threshold / 100.0, step / 100.0
    grid = np.arange(0.0, limit + width, width)
    curve = np.searchsorted(values, grid, side="right") / values.size
    return float(simpson(curve, x=grid) / limit)
