"""Cumulative error distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ced"]


def ced(nme: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Share of faces with NME <= each threshold.

    Args:
        nme: ``[N]`` percent; a NaN is under no threshold.
        thresholds: ``[T]`` percent, any order.

    Returns:
        Fractions, float64 ``[T]``; NaN without faces.
    """
    values = np.asarray(nme, np.float64)
    points = np.asarray(thresholds, np.float64)
    if not values.size:
        return np.full(points.shape, np.nan)
    finite = np.sort(values[~np.isnan(values)])
    curve: NDArray[np.float64] = np.searchsorted(finite, points, side="right") / values.size
    return curve
