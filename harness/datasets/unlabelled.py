"""Landmarks without a position: faces that are refused or left out because of them.

The rule for all formats: a landmark that a file marks as not labelled is NaN in ``Dataset.landmarks``. It is an error
unless the data set's definition has ``unlabelled = "exclude"``; then it counts in no score and no box, and a face whose
usual normaliser it makes undefined is left out, as in mmpose. A landmark that is not marked but has the position of
one that is not labelled (0, 0) is always an error, because it would be scored as truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.plausibility import placeholders, signed, without_position
from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.errors import InputError
from nmebench.geometry.scheme import Scheme, normaliser
from nmebench.printable import counted

__all__ = [
    "check_labelled",
    "check_placeholders",
    "decode_signs",
    "keep_faces",
    "leave_out_notes",
    "measurable",
    "placeholder_message",
]


def placeholder_message(landmarks: NDArray[np.float64], found: NDArray[np.bool_]) -> str:
    """Return why a face can't be used, for a face with placeholders.

    Args:
        landmarks: ``[K, 2]`` image px.
        found: ``[K]`` from :func:`~nmebench.datasets.plausibility.placeholders`.

    Example:
        >>> points = np.array([[0.0, 0.0], [0.0, 0.0], [50.0, 60.0]])
        >>> placeholder_message(points, np.array([True, True, False]))
        'landmark 0 is exactly (0, 0), which means not labelled (2 of 3 landmarks)'
    """
    first = int(np.argmax(found))
    x, y = landmarks[first]
    return (
        f"landmark {first} is exactly ({x:g}, {y:g}), which means not labelled "
        f"({int(found.sum())} of {len(found)} landmarks)"
    )


def check_labelled(landmarks: NDArray[np.float64], where: Callable[[int], str]) -> None:
    """Check that every landmark has a position.

    Args:
        landmarks: ``[N, K, 2]`` image px; NaN for landmarks that are not labelled.
        where: returns file and line of a face by its position.

    Raises:
        InputError: a face has landmarks without one; the message names the first.
    """
    missing = without_position(landmarks)
    faces = np.flatnonzero(missing.any(axis=1))
    if len(faces):
        face = int(faces[0])
        raise InputError(
            f"{where(face)}: landmark {int(np.argmax(missing[face]))} is not labelled ({int(missing[face].sum())} of "
            f"{missing.shape[1]} landmarks): the NME counts all of them; label them, remove the face, or write "
            'unlabelled = "exclude" in the definition of a data set of your own'
        )


def decode_signs(faces: AnnotatedFaces) -> AnnotatedFaces:
    """Return faces whose signs say which landmarks are occluded or not labelled, with these facts beside them.

    Source: the README of abhi1kumar/MERL-RAV_dataset.

    Args:
        faces: landmarks at (-1, -1) have no position, and others with two negative coordinates are occluded.
    """
    raw = faces.landmarks
    unlabelled = (raw == -1).all(axis=2)
    occluded = (raw < 0).all(axis=2) & ~unlabelled
    landmarks = np.where(occluded[..., None], -raw, raw)
    landmarks[unlabelled] = np.nan
    return replace(faces, landmarks=landmarks, occluded=occluded)


def check_placeholders(
    landmarks: NDArray[np.float64],
    where: Callable[[int], str],
    way_out: str = "label them or remove the face",
) -> None:
    """Check that no landmark has the position that files write for one that is occluded or not labelled.

    Args:
        landmarks: ``[N, K, 2]`` image px.
        where: returns file and line of a face by its position.
        way_out: the end of the message.

    Raises:
        InputError: a face has such landmarks; the message names the first one.
    """
    negative = signed(landmarks)
    if negative.any():
        face, point = (int(index) for index in np.argwhere(negative)[0])
        x, y = landmarks[face, point]
        raise InputError(
            f"{where(face)}: landmark {point} is ({x:g}, {y:g}), and ({-x:g}, {-y:g}) is on the face: MERL-RAV marks "
            "occluded landmarks by their sign; define the data set with signs = true"
        )
    found = placeholders(landmarks)
    faces = np.flatnonzero(found.any(axis=1))
    if len(faces):
        face = int(faces[0])
        others = f"; {len(faces)} faces have such landmarks" if len(faces) > 1 else ""
        raise InputError(
            f"{where(face)}: {placeholder_message(landmarks[face], found[face])}: it would be scored as truth; "
            f"{way_out}{others}"
        )


def measurable(landmarks: NDArray[np.float64], scheme: Scheme, name: str | None = None) -> NDArray[np.bool_]:
    """Return the faces ``[N]`` that can be scored: complete ones, and those whose usual normaliser is above 0.

    Args:
        landmarks: ``[N, K, 2]`` image px; NaN for landmarks that are not labelled.
        scheme: the landmark scheme.
        name: the data set's usual normaliser; None for the scheme's default.

    Example:
        >>> from nmebench.geometry import scheme as schemes
        >>> face = np.random.default_rng(0).uniform(0, 100, (1, 68, 2))
        >>> without_eye = face.copy()
        >>> without_eye[0, 36] = np.nan  # an outer eye corner
        >>> measurable(np.concatenate([face, without_eye]), schemes.load("ibug68")).tolist()
        [True, False]
    """
    unlabelled = without_position(landmarks)
    name = name or scheme.default_normaliser
    if scheme.normalisers[name].annotated:
        return np.asarray(~unlabelled.all(axis=1))
    lengths = normaliser(scheme, landmarks, name)
    return np.asarray(~unlabelled.any(axis=1) | (np.isfinite(lengths) & (lengths > 0)))


def keep_faces(faces: AnnotatedFaces, keep: NDArray[np.bool_]) -> AnnotatedFaces:
    """Return some of the faces.

    Args:
        faces: N faces.
        keep: ``[N]``, true for those to keep.
    """
    arrays = ("rect", "centre_scale", "attributes", "occluded")
    values = {name: getattr(faces, name) for name in arrays}
    return replace(
        faces,
        images=tuple(image for image, kept in zip(faces.images, keep.tolist(), strict=True) if kept),
        lines=faces.lines[keep],
        landmarks=faces.landmarks[keep],
        subsets=None if faces.subsets is None else {name: mask[keep] for name, mask in faces.subsets.items()},
        **{name: None if value is None else value[keep] for name, value in values.items()},
    )


def leave_out_notes(landmarks: NDArray[np.float64], keep: NDArray[np.bool_], usual: str, name: str) -> list[str]:
    """Return notes on the landmarks that are not labelled and on the faces that are left out.

    Args:
        landmarks: ``[N, K, 2]`` image px, of all faces.
        keep: ``[N]`` from :func:`measurable`.
        usual: the data set's usual normaliser.
        name: the file, for the notes.
    """
    notes = []
    unlabelled = without_position(landmarks)[keep]
    if unlabelled.any():
        notes.append(
            f"{name}: {int(unlabelled.sum())} landmarks of {counted(int(unlabelled.any(axis=1).sum()), 'face')} are "
            "not labelled and count in no score: the NME of a face is the mean over its labelled landmarks"
        )
    if not keep.all():
        notes.append(
            f"{name}: {int((~keep).sum())} of {len(keep)} faces are left out: the landmarks that "
            f"{usual} measures are not labelled"
        )
    return notes
