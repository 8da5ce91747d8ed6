"""Signs that landmarks are not annotated or not in image px; shared by loading and verifying."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["are_fractions", "at_origin"]


def at_origin(landmarks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which faces ``[N]`` have two or more landmarks at exactly (0, 0).

    COCO and many converters write 0, 0 for a landmark that is not annotated; two real landmarks are never there.

    Args:
        landmarks: ``[N, K, 2]`` image px.

    Example:
        >>> at_origin(np.array([[[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 5.0]]])).tolist()
        [True, False]
    """
    return np.asarray((landmarks == 0).all(axis=2).sum(axis=1) >= 2)


def are_fractions(landmarks: NDArray[np.float64]) -> bool:
    """Return whether no face is larger than 2 px, so that the landmarks are probably fractions of an image or a crop.

    Args:
        landmarks: ``[N, K, 2]`` image px.

    Example:
        >>> are_fractions(np.array([[[0.2, 0.3], [0.7, 0.9]]])), are_fractions(np.array([[[20.0, 30.0], [70.0, 90.0]]]))
        (True, False)
    """
    return bool(landmarks.size) and bool((np.ptp(landmarks, axis=1) < 2).all())
