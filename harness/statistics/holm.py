"""Correction of p values for many comparisons."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["holm"]


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Adjust p values by Holm's step-down procedure.

    Calling differences with an adjusted p below 0.05 significant keeps the chance of any false finding below 5 %,
    whatever the number of comparisons.

    Source: S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6 (1979) 65-70.

    Args:
        p: ``[M]``.

    Returns:
        Adjusted p, float64 ``[M]``, in the order of ``p``, at most 1.

    Raises:
        ValueError: ``p`` is not one-dimensional.

    Example:
        >>> holm([0.01, 0.04, 0.03, 0.005]).tolist()
        [0.03, 0.06, 0.06, 0.02]
    """
    values = np.asarray(p, np.float64)
    if values.ndim != 1:
        raise ValueError(f"p {values.shape} must be [M]")
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
