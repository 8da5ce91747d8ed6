"""Cumulative error distribution (CED)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ced", "ced_counts"]


def ced(nme: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Share of faces with NME <= each threshold.

    Source: "cumulative error distribution" curves of the 300-W challenge (C. Sagonas et al., ICCV Workshops 2013).

    Args:
        nme: ``[N]`` percent; a NaN is above every threshold.
        thresholds: ``[T]`` percent, in any order.

    Returns:
        Fractions, float64 ``[T]``; NaN without faces.

    Example:
        >>> ced([2.0, 6.0, 14.0, 8.0], [1.0, 6.0, 10.0]).tolist()
        [0.0, 0.5, 0.75]
    """
    values = np.asarray(nme, np.float64)
    if not values.size:
        return np.full(np.asarray(thresholds).shape, np.nan)
    curve: NDArray[np.float64] = ced_counts(values, thresholds) / values.size
    return curve


def ced_counts(nme: ArrayLike, thresholds: ArrayLike) -> NDArray[np.int64]:
    """Number of faces with NME <= each threshold; :func:`ced` divides it by the number of faces.

    Source: the definition of :func:`ced`.

    Args:
        nme: ``[N]`` percent; a NaN is above every threshold.
        thresholds: ``[T]`` percent, in any order.

    Returns:
        int64 ``[T]``.

    Example:
        >>> ced_counts([2.0, 6.0, 14.0, 8.0], [1.0, 6.0, 10.0]).tolist()
        [0, 2, 3]
    """
    values = np.asarray(nme, np.float64)
    known = np.sort(values[~np.isnan(values)])
    return np.asarray(np.searchsorted(known, np.asarray(thresholds, np.float64), side="right"), np.int64)
