"""Checks of the faces in one file. The bounds are measured on the 2168 WFLW test faces whose landmarks are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.datasets.verify.report import Collector
from nmebench.geometry.scheme import Scheme, normaliser

__all__ = ["check_boxes", "check_faces", "landmark_boxes"]

SMALLEST = 10.0
"""px; WFLW's smallest test face has 50."""
STEPS = {"contour": 0.25}
"""Largest distance of neighbours in a group as a share of the face; measured at most 0.10 on the contour ..."""
STEP = 0.6
"""... and 0.39 elsewhere."""
CENTRE_TOLERANCE = 1.01
"""px; mmpose's converter leaves the rounding out, which moves a centre by up to 0.5."""
SCALE_TOLERANCE = 0.0102
"""The csv rounds to two decimals, mmpose's converter rounds the extent up."""


def check_faces(faces: AnnotatedFaces, scheme: Scheme, name: str, into: Collector) -> None:
    """Degenerate, mirrored, damaged and doubled faces."""
    points, lines = faces.landmarks, faces.lines
    extent: NDArray[np.float64] = np.ptp(points, axis=1).max(axis=1)
    lengths = normaliser(scheme, points)
    into.each("error", "eyes-coincide", name, _lines(lines, np.asarray(lengths <= 0), "the outer eye corners coincide"))
    small = (extent < SMALLEST) & (lengths > 0)
    into.each("warning", "tiny-face", name, _lines(lines, small, f"the face is smaller than {SMALLEST:g} px"))
    sound = (extent >= SMALLEST) & (lengths > 0)
    _check_turn(points, lines, scheme, sound, name, into)
    _check_steps(points, lines, scheme, extent, sound, name, into)
    if len(points) and (points == np.rint(points)).all():
        into.add("warning", "whole-pixels", name, None, "all coordinates are whole numbers: WFLW's have six decimals")
    _check_doubles(faces, name, into)


def check_boxes(faces: AnnotatedFaces, name: str, into: Collector) -> None:
    """Rectangles and scales that are empty, cut the face or contradict the landmarks."""
    low, high = faces.landmarks.min(axis=1), faces.landmarks.max(axis=1)
    if faces.rect is not None:
        begin, end = faces.rect[:, :2], faces.rect[:, 2:]
        empty = np.any(end <= begin, axis=1)
        into.each("error", "rect-empty", name, _lines(faces.lines, empty, "the rectangle has no width or no height"))
        half = (end - begin).max(axis=1, keepdims=True) * 1.25 / 2
        middle = (begin + end) / 2
        cut = ~empty & ((low < middle - half) | (high > middle + half)).any(axis=1)
        message = "the rectangle, made square and grown by 1.25, cuts the face"
        into.each("warning", "box-cuts", name, _lines(faces.lines, cut, message))
    if faces.centre_scale is not None:
        centre, scale = faces.centre_scale[:, :2], faces.centre_scale[:, 2]
        empty = scale <= 0
        into.each("error", "scale-empty", name, _lines(faces.lines, empty, "the scale is not above 0"))
        expected_centre, expected_scale = landmark_boxes(faces.landmarks)
        shift = expected_centre - centre
        if len(shift) > 1 and (np.abs(np.abs(shift) - 1) < 0.01).all() and (np.ptp(shift, axis=0) < 0.01).all():
            dx, dy = shift[0]
            message = f"all landmarks lie ({dx:+.0f}, {dy:+.0f}) px off the centres: a copy that counts from 1?"
            into.add("error", "one-based", name, None, message)
        far = (np.abs(shift) > CENTRE_TOLERANCE).any(axis=1)
        far |= np.abs(expected_scale - scale) > SCALE_TOLERANCE
        message = "centre or scale are not the landmarks' own"
        into.each("warning", "box-differs", name, _lines(faces.lines, far & ~empty, message))


def landmark_boxes(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre ``[N, 2]`` px and scale ``[N]`` (200 px) as HRNet's csv has them, before its rounding."""
    low, high = np.floor(points.min(axis=1)), np.ceil(points.max(axis=1))
    return (low + high) / 2, (high - low).max(axis=1) / 200


def _check_turn(
    points: NDArray[np.float64],
    lines: NDArray[np.int64],
    scheme: Scheme,
    sound: NDArray[np.bool_],
    name: str,
    into: Collector,
) -> None:
    """Right eye, left eye, mouth turn clockwise in every face that is not mirrored, however it is rotated."""
    right, left, mouth = (
        points[:, list(scheme.groups[group])].mean(axis=1) for group in ("right-eye", "left-eye", "outer-lip")
    )
    across, down = left - right, mouth - right
    wrong = sound & (across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0] < 0)
    if wrong.sum() > max(1, len(points) // 2):
        message = f"{int(wrong.sum())} of {len(points)} faces are mirrored: are the columns of x and y swapped?"
        into.add("error", "mirrored", name, None, message)
    else:
        message = "the face is mirrored: x and y swapped, or left and right landmarks exchanged"
        into.each("error", "mirrored", name, _lines(lines, wrong, message))


def _check_steps(
    points: NDArray[np.float64],
    lines: NDArray[np.int64],
    scheme: Scheme,
    extent: NDArray[np.float64],
    sound: NDArray[np.bool_],
    name: str,
    into: Collector,
) -> None:
    """Neighbours on a line of the face that lie far apart: a digit lost, a column too many."""
    for group, members in scheme.groups.items():
        chain = points[:, list(members)]
        step = np.linalg.norm(np.diff(chain, axis=1), axis=2).max(axis=1)
        wrong = sound & (step > STEPS.get(group, STEP) * extent)
        message = f"two neighbouring landmarks of {group} ({members[0]} to {members[-1]}) lie implausibly far apart"
        into.each("warning", "jump", name, _lines(lines, wrong, message))


def _check_doubles(faces: AnnotatedFaces, name: str, into: Collector) -> None:
    """Faces that stand twice, and landmarks that two images share."""
    seen: dict[bytes, tuple[str, int]] = {}
    doubled: list[tuple[int, str]] = []
    shared: list[tuple[int, str]] = []
    for (image, key), line in zip(faces.keys(), faces.lines.tolist(), strict=True):
        first = seen.setdefault(key, (image, line))
        if first[1] != line:
            if first[0] == image:
                doubled.append((line, f"the same face as line {first[1]}: it would count twice"))
            else:
                shared.append((line, f"the same landmarks as line {first[1]}, which names another image"))
    into.each("error", "duplicate", name, doubled)
    into.each("error", "duplicate-landmarks", name, shared)


def _lines(lines: NDArray[np.int64], mask: NDArray[np.bool_], message: str) -> list[tuple[int, str]]:
    """(line, message) of the masked faces."""
    return [(int(line), message) for line in lines[mask]]
