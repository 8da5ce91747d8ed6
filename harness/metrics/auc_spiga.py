"""AUC as SPIGA's evaluation computes it, from a histogram of the faces' NME."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.protocol import THRESHOLD

__all__ = ["auc_spiga", "auc_spiga_bounds"]

Array = NDArray[np.float64]

BINS = 10_000
"""Bins of the histogram, from the smallest NME to the largest."""


def auc_spiga(nme: ArrayLike, threshold: float = THRESHOLD, bins: int = BINS) -> float:
    """AUC from a histogram of equal bins between the smallest and the largest NME. Use it for parity only.

    The cumulative share of each bin is taken at the bin's left edge, so the curve rises up to one bin too early.
    Simpson's rule integrates it over the edges below the threshold. An odd number of intervals is integrated twice,
    with the trapezoidal rule for the last or the first interval, and the mean is taken, as ``scipy.integrate.simps``
    did before SciPy 1.11. :func:`auc_spiga_bounds` gives the largest difference from the exact area.

    Source: spiga/eval/benchmark/metrics/landmarks.py of andresprados/SPIGA (``_cumulative_error`` and
    ``_auc_fr_metrics``).

    Args:
        nme: ``[N]`` percent.
        threshold: percent.
        bins: number of bins.

    Returns:
        Fraction; NaN without faces, or where an NME is not finite.

    Example:
        >>> round(auc_spiga([2.0, 6.0, 14.0]), 4)
        0.4
    """
    values = np.asarray(nme, np.float64)
    if not values.size or not np.isfinite(values).all():
        return float("nan")
    counts, edges = np.histogram(values, bins=bins)
    curve = np.cumsum(counts) / values.size
    left = edges[:bins]
    left = left[left < threshold]
    curve = curve[: len(left)]
    if not len(left):
        return 0.0
    area = _simpson(curve, float(edges[1] - edges[0])) / threshold
    if curve[-1] == 1:
        area += (threshold - float(left[-1])) / threshold
    return float(area)


def auc_spiga_bounds(nme: ArrayLike, threshold: float = THRESHOLD, bins: int = BINS) -> tuple[float, float]:
    """Return the smallest and the largest possible ``auc_spiga - auc`` for these NMEs, as fractions.

    With a bin width w, the curve is the exact one moved to the left by at most w. Simpson's and the trapezoidal rule on
    a rising curve add at most 7/3 w to its area, the end of the curve adds or omits at most w. The bounds are therefore
    ``-w / threshold`` and ``10/3 w / threshold``.

    Args:
        nme: ``[N]`` percent.
        threshold: percent.
        bins: number of bins.

    Example:
        >>> low, high = auc_spiga_bounds([2.0, 6.0, 14.0], 10.0)
        >>> f"{low:.5f} {high:.5f}"
        '-0.00012 0.00040'
    """
    edges = np.histogram_bin_edges(np.asarray(nme, np.float64), bins=bins)
    width = float(edges[1] - edges[0])
    return -width / threshold, 10 / 3 * width / threshold


def _simpson(curve: Array, step: float) -> float:
    """Simpson's rule; the mean of two integrals for an odd number of intervals."""

    def even(values: Array) -> float:
        if len(values) < 3:
            return 0.0
        return step / 3 * float(values[0] + values[-1] + 4 * values[1:-1:2].sum() + 2 * values[2:-1:2].sum())

    if len(curve) % 2:
        return even(curve)
    first, last = (step / 2 * float(curve[at] + curve[at + 1]) for at in (0, len(curve) - 2))
    return (even(curve[:-1]) + last + first + even(curve[1:])) / 2
