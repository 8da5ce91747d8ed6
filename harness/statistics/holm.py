"""Correction of p values for many comparisons."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["holm"]


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down correction: the chance of any false finding among all stays under the level.

    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6 (1979) 65-70.

    Args:
        p: ``[M]``.

    Returns:
        Adjusted p ``[M]`` in the order given, at most 1.
    """
    values = np.asarray(p, np.float64)
    if values.ndim != 1:
        raise ValueError(f"p {values.shape} must be [M]")
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
