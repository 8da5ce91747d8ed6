"""Signs that annotated landmarks are missing or not in image px; shared by the readers and by verifying."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nmebench.geometry.extents import extents
from nmebench.protocol import SUSPECT

__all__ = ["SUSPECT", "are_fractions", "placeholders", "signed", "suspect_notes", "without_position"]

_PLACEHOLDERS: Final = ((0.0, 0.0), (-1.0, -1.0), (1.0, 1.0))
"""Positions that converters write for a landmark without one: COCO's, MERL-RAV's, and (0, 0) after adding 1."""

_FACES: Final = 1024
"""Faces that are looked at together."""


def without_position(landmarks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which landmarks ``[N, K]`` are not labelled.

    Args:
        landmarks: ``[N, K, 2]`` image px; NaN for landmarks that are not labelled.

    Example:
        >>> without_position(np.array([[[1.0, 2.0], [np.nan, np.nan]]])).tolist()
        [[False, True]]
    """
    # numpy's reductions over an axis of two numbers take ten times as long.
    return np.asarray(np.isnan(landmarks[..., 0]) | np.isnan(landmarks[..., 1]))


def placeholders(landmarks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which landmarks ``[N, K]`` are at a position that files write for a landmark that is not labelled.

    COCO and many converters write 0, 0; MERL-RAV writes -1, -1. Two landmarks of a face are never there, and a single
    one only if the rest of the face is near.

    Args:
        landmarks: ``[N, K, 2]`` image px.

    Example:
        >>> face = np.array([[40.0, 40.0], [60.0, 40.0], [50.0, 60.0], [0.0, 0.0]])
        >>> near = np.array([[4.0, 9.0], [60.0, 40.0], [50.0, 60.0], [0.0, 0.0]])
        >>> placeholders(np.stack([face, near])).tolist()
        [[False, False, False, True], [False, False, False, False]]
    """
    found = np.zeros(landmarks.shape[:2], np.bool_)
    for position in _PLACEHOLDERS:
        exact = (landmarks[..., 0] == position[0]) & (landmarks[..., 1] == position[1])
        several = exact.sum(axis=1) >= 2
        found |= exact & several[:, None]
        for face in np.flatnonzero(exact.any(axis=1) & ~several):
            others = landmarks[face][~exact[face] & ~np.isnan(landmarks[face]).any(axis=1)]
            if len(others) < 2:
                continue
            distance = np.linalg.norm(others - position, axis=1).min()
            found[face] |= exact[face] & (distance > 0.5 * np.ptp(others, axis=0).max())
    return found


def signed(landmarks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which landmarks ``[N, K]`` are negative where their positive position is on the face.

    MERL-RAV writes an occluded landmark at x, y as -x, -y.

    Args:
        landmarks: ``[N, K, 2]`` image px.

    Example:
        >>> signed(np.array([[[40.0, 40.0], [60.0, 40.0], [50.0, 60.0], [-45.0, -50.0]]])).tolist()
        [[False, False, False, True]]
    """
    with np.errstate(invalid="ignore"):
        negative = np.asarray((landmarks[..., 0] < 0) & (landmarks[..., 1] < 0), np.bool_)
    found = np.zeros(negative.shape, np.bool_)
    for face in np.flatnonzero(negative.any(axis=1)):
        others = landmarks[face][~negative[face] & ~np.isnan(landmarks[face]).any(axis=1)]
        if len(others) < 2:
            continue
        low, high = others.min(axis=0), others.max(axis=0)
        reach = (high - low).max() / 2
        positive = -landmarks[face]
        inside = ((positive >= low - reach) & (positive <= high + reach)).all(axis=1)
        away = (landmarks[face] < low - reach).any(axis=1)
        found[face] = negative[face] & inside & away
    return found


def are_fractions(landmarks: NDArray[np.float64]) -> bool:
    """Return whether no face is larger than 2 px, near 0: the landmarks are probably fractions of an image or a crop.

    Args:
        landmarks: ``[N, K, 2]`` image px.

    Example:
        >>> are_fractions(np.array([[[0.2, 0.3], [0.7, 0.9]]])), are_fractions(np.array([[[20.0, 30.0], [70.0, 90.0]]]))
        (True, False)
    """
    any_complete = False
    for start in range(0, len(landmarks), _FACES) if landmarks.size else ():
        some = landmarks[start : start + _FACES]
        complete = ~without_position(some).any(axis=1)
        any_complete |= bool(complete.any())
        low, high = (ends[complete] for ends in extents(some))
        if not ((high - low < 2).all() and (low > -10).all() and (high < 10).all()):
            return False  # mostly in the first faces
    return any_complete


def suspect_notes(landmarks: NDArray[np.float64], name: str) -> list[str]:
    """Return notes on annotated landmarks that are probably not in image px.

    Args:
        landmarks: ``[N, K, 2]`` image px.
        name: the file, for the notes.
    """
    notes = []
    if are_fractions(landmarks):
        notes.append(f"{SUSPECT}{name}: no face is larger than 2 px: are the landmarks fractions of the image, not px?")
    return notes
