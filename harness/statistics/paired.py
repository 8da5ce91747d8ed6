"""Paired differences of NME between cells that saw the same faces.

The test is a t test on the mean difference with a cluster-robust variance and one degree of freedom less
than there are images (K.-Y. Liang and S. L. Zeger, Biometrika 73 (1986) 13-22, with the C/(C-1) correction).
It is chosen over a permutation of signs because dozens of cells make hundreds of pairs: after Holm's
correction a permutation test needs some 100,000 permutations before any of them can be significant, while
with hundreds of images the two agree (the tests check this, and the level on simulated data). Interval and p
are of one kind: p < 1 - level exactly when the interval leaves out 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from nmebench.statistics.clusters import cluster_sums

__all__ = ["PairedDifference", "PairedDifferences", "paired_difference", "paired_differences"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PairedDifference:
    """Mean of ``b - a`` over faces, percent points, with its interval and two-sided p."""

    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class PairedDifferences:
    """All pairs of M cells: arrays ``[M, M]``; entry ``[i, j]`` is cell j minus cell i, percent points."""

    difference: Array
    low: Array
    high: Array
    p: Array


def _t_test(difference: Array, squares: Array, faces: Array, level: float) -> tuple[Array, Array, Array]:
    """Low, high and p from differences and the sums of squared cluster residuals, of one shape."""
    images = len(faces)
    if images < 2:
        nothing = np.full_like(difference, np.nan)
        return nothing, nothing, np.ones_like(difference)
    error = np.sqrt(images / (images - 1) * squares) / faces.sum()
    reach = stdtrit(images - 1, (1 + level) / 2) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(difference) / error
    # Without any spread a difference is certain, and no difference is none.
    statistic = np.where(error > 0, statistic, np.where(difference == 0, 0.0, np.inf))
    return difference - reach, difference + reach, 2 * stdtr(images - 1, -statistic)


def paired_difference(a: ArrayLike, b: ArrayLike, clusters: ArrayLike, *, level: float = 0.95) -> PairedDifference:
    """Difference of two cells' NME on the same faces.

    Args:
        a: NME of each face, percent ``[N]``.
        b: the same faces under the other cell, percent ``[N]``.
        clusters: int ``[N]``: the number of each face's source image.
        level: of the interval.

    Returns:
        Mean of ``b - a``, percent points, its interval and two-sided p. With a single image p is 1 and the
        interval NaN: nothing can be said.

    Raises:
        ValueError: shapes that don't fit, no faces, values that aren't finite.
    """
    one, two = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if one.shape != two.shape or one.ndim != 1:
        raise ValueError(f"a {one.shape} and b {two.shape} must be [N], of the same faces")
    sums, faces = cluster_sums((two - one)[None], clusters)
    difference = sums.sum(axis=1) / faces.sum()
    squares = ((sums - difference[:, None] * faces) ** 2).sum(axis=1)
    low, high, p = _t_test(difference, squares, faces, level)
    return PairedDifference(float(difference[0]), float(low[0]), float(high[0]), float(p[0]))


def paired_differences(values: ArrayLike, clusters: ArrayLike, *, level: float = 0.95) -> PairedDifferences:
    """Differences of every pair of M cells; see :func:`paired_difference`.

    Args:
        values: NME of each face, percent ``[M, N]``.
        clusters: int ``[N]``.
        level: of the intervals.
    """
    sums, faces = cluster_sums(values, clusters)
    mean = sums.sum(axis=1) / faces.sum()
    difference = mean[None, :] - mean[:, None]
    residual = sums - mean[:, None] * faces
    # A row at a time: M x M x C at once would be hundreds of megabytes for a large sweep.
    squares = np.stack([((residual - row) ** 2).sum(axis=1) for row in residual])
    low, high, p = _t_test(difference, squares, faces, level)
    return PairedDifferences(difference, low, high, p)
