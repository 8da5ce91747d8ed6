"""Signs that annotated landmarks are missing or not in image px; shared by the readers and by verifying."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["SUSPECT", "are_fractions", "at_origin", "suspect_notes"]

SUSPECT: Final = "suspect: "
"""The beginning of a note about input that is probably wrong, such as landmarks in another unit.

A run with such a note is finished and scored, but its numbers must not confirm or contradict a published value.
"""


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
    """Return whether no face is larger than 2 px, near 0: the landmarks are probably fractions of an image or a crop.

    Args:
        landmarks: ``[N, K, 2]`` image px.

    Example:
        >>> are_fractions(np.array([[[0.2, 0.3], [0.7, 0.9]]])), are_fractions(np.array([[[20.0, 30.0], [70.0, 90.0]]]))
        (True, False)
    """
    return bool(landmarks.size) and bool((np.ptp(landmarks, axis=1) < 2).all() and (np.abs(landmarks) < 10).all())


def suspect_notes(landmarks: NDArray[np.float64], name: str) -> list[str]:
    """Return notes on annotated landmarks that are probably missing or not in image px.

    Args:
        landmarks: ``[N, K, 2]`` image px.
        name: the file, for the notes.
    """
    notes = []
    if unannotated := int(at_origin(landmarks).sum()):
        notes.append(
            f"{SUSPECT}{name}: {unannotated} faces have several landmarks at exactly (0, 0), which usually means that "
            "they are not annotated; `nmebench data verify` names the faces of a list"
        )
    if are_fractions(landmarks):
        notes.append(f"{SUSPECT}{name}: no face is larger than 2 px: are the landmarks fractions of the image, not px?")
    return notes
