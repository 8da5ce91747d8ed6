"""Checks of the faces of one file. The bounds are measured on the 2168 WFLW test faces whose landmarks are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.plausibility import are_fractions, placeholders
from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.datasets.verify.report import Collector
from nmebench.geometry.scheme import Scheme, normaliser

__all__ = ["check_boxes", "check_faces", "landmark_boxes"]

MIN_EXTENT = 10.0
"""Smallest plausible extent of a face, px; WFLW's smallest test face has 50."""
MAX_STEPS = {"contour": 0.25}
"""Largest plausible distance of neighbouring landmarks, by group, as a share of the face's extent.

The largest measured distance is 0.10 on the contour.
"""
DEFAULT_MAX_STEP = 0.6
"""The same for all other groups; the largest measured distance is 0.39."""
CENTRE_TOLERANCE = 1.01
"""px; mmpose's converter leaves the rounding out, which moves a centre by up to 0.5."""
SCALE_TOLERANCE = 0.0102
"""Units of 200 px; the csv rounds to two decimals, mmpose's converter rounds the extent up."""


def check_faces(faces: AnnotatedFaces, scheme: Scheme, name: str, into: Collector) -> None:
    """Find unannotated, degenerate, mirrored, damaged and repeated faces."""
    points, lines = faces.landmarks, faces.lines
    zeros = (points == 0).all(axis=2).sum(axis=1)
    into.add_lines(
        "error",
        "origin",
        name,
        [
            (int(lines[face]), f"{zeros[face]} of {points.shape[1]} landmarks are exactly (0, 0): not annotated?")
            for face in np.flatnonzero(placeholders(points).any(axis=1))
        ],
    )
    if are_fractions(points):
        into.add("error", "unit", name, None, "no face is larger than 2 px: fractions of the image instead of px?")
    extent: NDArray[np.float64] = np.ptp(points, axis=1).max(axis=1)
    lengths = normaliser(scheme, points)
    coincide = _lines(lines, np.asarray(lengths <= 0), "the outer eye corners coincide")
    into.add_lines("error", "eyes-coincide", name, coincide)
    small = (extent < MIN_EXTENT) & (lengths > 0)
    into.add_lines("warning", "tiny-face", name, _lines(lines, small, f"the face is smaller than {MIN_EXTENT:g} px"))
    sound = (extent >= MIN_EXTENT) & (lengths > 0)
    _check_mirrored(points, lines, scheme, sound, name, into)
    _check_steps(points, lines, scheme, extent, sound, name, into)
    if len(points) and (points == np.rint(points)).all():
        into.add("warning", "whole-pixels", name, None, "all coordinates are whole numbers: WFLW's have six decimals")
    _check_duplicates(faces, name, into)


def check_boxes(faces: AnnotatedFaces, name: str, into: Collector) -> None:
    """Find rectangles and scales that are empty, cut the face or contradict the landmarks."""
    low, high = faces.landmarks.min(axis=1), faces.landmarks.max(axis=1)
    if faces.rect is not None:
        begin, end = faces.rect[:, :2], faces.rect[:, 2:]
        empty = np.any(end <= begin, axis=1)
        into.add_lines(
            "error", "rect-empty", name, _lines(faces.lines, empty, "the rectangle has no width or no height")
        )
        half = (end - begin).max(axis=1, keepdims=True) * 1.25 / 2
        middle = (begin + end) / 2
        cut = ~empty & ((low < middle - half) | (high > middle + half)).any(axis=1)
        message = "the rectangle, made square and grown by 1.25, cuts the face"
        into.add_lines("warning", "box-cuts", name, _lines(faces.lines, cut, message))
    if faces.centre_scale is not None:
        centre, scale = faces.centre_scale[:, :2], faces.centre_scale[:, 2]
        empty = scale <= 0
        into.add_lines("error", "scale-empty", name, _lines(faces.lines, empty, "the scale is not above 0"))
        expected_centre, expected_scale = landmark_boxes(faces.landmarks)
        shift = expected_centre - centre
        if len(shift) > 1 and (np.abs(np.abs(shift) - 1) < 0.01).all() and (np.ptp(shift, axis=0) < 0.01).all():
            dx, dy = shift[0]
            message = f"all landmarks are ({dx:+.0f}, {dy:+.0f}) px off the centres: a copy that counts from 1?"
            into.add("error", "one-based", name, None, message)
        far = (np.abs(shift) > CENTRE_TOLERANCE).any(axis=1)
        far |= np.abs(expected_scale - scale) > SCALE_TOLERANCE
        message = "centre or scale do not match the landmarks"
        into.add_lines("warning", "box-differs", name, _lines(faces.lines, far & ~empty, message))


def landmark_boxes(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute centres and scales as HRNet's csv has them, before its rounding.

    Args:
        points: landmarks ``[N, K, 2]``, image px.

    Returns:
        Centres ``[N, 2]`` in image px and scales ``[N]`` in units of 200 px.

    Example:
        >>> centre, scale = landmark_boxes(np.array([[[10.5, 20.0], [109.2, 60.0]]]))
        >>> centre.tolist(), scale.tolist()
        ([[60.0, 40.0]], [0.5])
    """
    low, high = np.floor(points.min(axis=1)), np.ceil(points.max(axis=1))
    return (low + high) / 2, (high - low).max(axis=1) / 200


def _check_mirrored(
    points: NDArray[np.float64],
    lines: NDArray[np.int64],
    scheme: Scheme,
    sound: NDArray[np.bool_],
    name: str,
    into: Collector,
) -> None:
    """Find mirrored faces.

    Right eye, left eye and mouth are in clockwise order in every face that is not mirrored, however it is rotated.
    """
    right, left, mouth = (
        points[:, list(scheme.groups[group])].mean(axis=1) for group in ("right-eye", "left-eye", "outer-lip")
    )
    across, down = left - right, mouth - right
    mirrored = sound & (across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0] < 0)
    if mirrored.sum() > max(1, len(points) // 2):
        message = f"{int(mirrored.sum())} of {len(points)} faces are mirrored: are the columns of x and y swapped?"
        into.add("error", "mirrored", name, None, message)
    else:
        message = "the face is mirrored: x and y swapped, or left and right landmarks exchanged"
        into.add_lines("error", "mirrored", name, _lines(lines, mirrored, message))


def _check_steps(
    points: NDArray[np.float64],
    lines: NDArray[np.int64],
    scheme: Scheme,
    extent: NDArray[np.float64],
    sound: NDArray[np.bool_],
    name: str,
    into: Collector,
) -> None:
    """Find neighbouring landmarks that are far apart, because a digit is lost or a column is added."""
    for group, members in scheme.groups.items():
        chain = points[:, list(members)]
        step = np.linalg.norm(np.diff(chain, axis=1), axis=2).max(axis=1)
        wrong = sound & (step > MAX_STEPS.get(group, DEFAULT_MAX_STEP) * extent)
        message = f"two neighbouring landmarks of {group} ({members[0]} to {members[-1]}) are implausibly far apart"
        into.add_lines("warning", "jump", name, _lines(lines, wrong, message))


def _check_duplicates(faces: AnnotatedFaces, name: str, into: Collector) -> None:
    """Find faces that occur more than once, and landmarks that two images share."""
    seen: dict[bytes, tuple[str, int]] = {}
    repeated: list[tuple[int, str]] = []
    shared: list[tuple[int, str]] = []
    for (image, key), line in zip(faces.keys(), faces.lines.tolist(), strict=True):
        first = seen.setdefault(key, (image, line))
        if first[1] != line:
            if first[0] == image:
                repeated.append((line, f"the same face as line {first[1]}: it would count twice"))
            else:
                shared.append((line, f"the same landmarks as line {first[1]}, which names another image"))
    into.add_lines("error", "duplicate", name, repeated)
    into.add_lines("error", "duplicate-landmarks", name, shared)


def _lines(lines: NDArray[np.int64], mask: NDArray[np.bool_], message: str) -> list[tuple[int, str]]:
    """Return (line, message) for the masked faces."""
    return [(int(line), message) for line in lines[mask]]
