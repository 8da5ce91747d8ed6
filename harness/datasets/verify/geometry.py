"""Checks of the faces of one file. The bounds are measured on the 2168 WFLW test faces whose landmarks are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.plausibility import are_fractions, placeholders, signed
from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.datasets.unlabelled import placeholder_message
from nmebench.datasets.verify.report import Collector
from nmebench.datasets.verify.shapes import shape_of
from nmebench.geometry.scheme import Scheme, normaliser

__all__ = ["check_boxes", "check_faces", "landmark_boxes"]

Array = NDArray[np.float64]

MIN_EXTENT = 10.0
"""Smallest plausible extent of a face, px; WFLW's smallest test face has 50."""
LONG_CHAIN = 20
"""Points from which a contour is dense: its steps are shorter."""
MAX_CONTOUR_STEPS = (0.25, 0.4)
"""Largest plausible distance of neighbouring landmarks on a dense contour and on one of 17 points, as a share of the
face's extent. The largest measured distances are 0.10 and 0.22."""
MAX_STEPS = (0.6, 0.9)
"""The same for all other groups, in schemes of 60 and more points and in smaller ones, whose groups are no chains. The
largest measured distances are 0.40 and 0.65."""
DENSE_SCHEME = 60
CENTRE_TOLERANCE = 1.01
"""px; mmpose's converter leaves the rounding out, which moves a centre by up to 0.5."""
SHIFT_TOLERANCE = 0.01
"""px; how exactly all landmarks are moved by 1 px in a copy that counts from 1."""
EXTENT_TOLERANCE = 0.06
"""px; rectangles that are the extent of the landmarks are rounded to one decimal at most."""
SCALE_TOLERANCE = 0.0102
"""Units of 200 px; the csv rounds to two decimals, mmpose's converter rounds the extent up."""


def check_faces(faces: AnnotatedFaces, scheme: Scheme, name: str, into: Collector, *, fractions: bool = True) -> None:
    """Find unlabelled, degenerate, damaged and repeated faces.

    Args:
        faces: the faces.
        scheme: the landmark scheme.
        name: the file that the findings name.
        into: receives the findings.
        fractions: whether the release has fractions of px, so that whole numbers are a rounded copy.
    """
    points, lines = faces.landmarks, faces.lines
    found = placeholders(points)
    into.add_lines(
        "error",
        "origin",
        name,
        [
            (int(lines[face]), placeholder_message(points[face], found[face]))
            for face in np.flatnonzero(found.any(axis=1))
        ],
    )
    message = "landmarks are negative and their positive positions are on the face: MERL-RAV's sign code?"
    into.add_lines("error", "signs", name, _lines(lines, np.asarray(signed(points).any(axis=1)), message))
    if are_fractions(points):
        into.add("error", "unit", name, None, "no face is larger than 2 px: fractions of the image instead of px?")
    extent = np.asarray((np.fmax.reduce(points, axis=1) - np.fmin.reduce(points, axis=1)).max(axis=1))
    degenerate = np.zeros(len(points), np.bool_)
    rule = scheme.normalisers[scheme.default_normaliser]
    if not rule.annotated:
        degenerate = np.asarray(normaliser(scheme, points) <= 0)
        what = "the outer eye corners coincide" if rule.kind == "distance" else "the landmarks' box is empty"
        into.add_lines("error", "eyes-coincide", name, _lines(lines, degenerate, what))
    small = (extent < MIN_EXTENT) & ~degenerate
    into.add_lines("warning", "tiny-face", name, _lines(lines, small, f"the face is smaller than {MIN_EXTENT:g} px"))
    if shape_of(scheme) is not None:
        _check_steps(points, lines, scheme, extent, (extent >= MIN_EXTENT) & ~degenerate, name, into)
    if fractions and len(points) and (points == np.rint(points)).all():
        into.add("warning", "whole-pixels", name, None, "all coordinates are whole numbers: the release has fractions")
    _check_duplicates(faces, name, into)


def check_boxes(faces: AnnotatedFaces, name: str, into: Collector, *, landmark_boxes_only: bool = True) -> None:
    """Find rectangles and scales that are empty, cut the face or contradict the landmarks.

    Args:
        faces: the faces.
        name: the file that the findings name.
        into: receives the findings.
        landmark_boxes_only: whether centre and scale are always those of the landmarks' box, as in WFLW and 300-W.
            Otherwise they are compared only if most of them are.
    """
    low, high = np.fmin.reduce(faces.landmarks, axis=1), np.fmax.reduce(faces.landmarks, axis=1)
    if faces.rect is not None:
        _check_rectangles(faces, low, high, name, into)
    if faces.centre_scale is not None:
        _check_scales(faces, low, high, name, into, landmark_boxes_only=landmark_boxes_only)


def _check_rectangles(faces: AnnotatedFaces, low: Array, high: Array, name: str, into: Collector) -> None:
    rect = np.asarray(faces.rect)
    begin, end = rect[:, :2], rect[:, 2:]
    empty = np.any(end <= begin, axis=1)
    into.add_lines("error", "rect-empty", name, _lines(faces.lines, empty, "the rectangle has no width or no height"))
    shift = np.concatenate([low - begin, high - end], axis=1)
    if (
        len(shift) > 1
        and (np.abs(np.abs(shift) - 1) < EXTENT_TOLERANCE).all()
        and _constant(shift, 2 * EXTENT_TOLERANCE)
    ):
        dx, dy = shift[0, :2]
        message = f"all landmarks are ({dx:+.0f}, {dy:+.0f}) px off their rectangles: a copy that counts from 1?"
        into.add("error", "one-based", name, None, message)
        return
    tight = (np.abs(shift) < EXTENT_TOLERANCE).all(axis=1)
    if tight.sum() > len(tight) / 2:
        message = "the rectangle is not the extent of the landmarks, as it is on most faces"
        into.add_lines("warning", "box-differs", name, _lines(faces.lines, ~tight & ~empty, message))
        return
    half = (end - begin).max(axis=1, keepdims=True) * 1.25 / 2
    middle = (begin + end) / 2
    cut = ~empty & ((low < middle - half) | (high > middle + half)).any(axis=1)
    message = "the rectangle, made square and grown by 1.25, cuts the face"
    into.add_lines("warning", "box-cuts", name, _lines(faces.lines, cut, message))


def _check_scales(
    faces: AnnotatedFaces, low: Array, high: Array, name: str, into: Collector, *, landmark_boxes_only: bool
) -> None:
    given = np.asarray(faces.centre_scale)
    centre, scale = given[:, :2], given[:, 2]
    empty = scale <= 0
    into.add_lines("error", "scale-empty", name, _lines(faces.lines, empty, "the scale is not above 0"))
    expected_centre, expected_scale = _square(low, high)
    shift = expected_centre - centre
    if len(shift) > 1 and (np.abs(np.abs(shift) - 1) < SHIFT_TOLERANCE).all() and _constant(shift, SHIFT_TOLERANCE):
        dx, dy = shift[0]
        message = f"all landmarks are ({dx:+.0f}, {dy:+.0f}) px off the centres: a copy that counts from 1?"
        into.add("error", "one-based", name, None, message)
    far = (np.abs(shift) > CENTRE_TOLERANCE).any(axis=1)
    far |= np.abs(expected_scale - scale) > SCALE_TOLERANCE
    if landmark_boxes_only or far.sum() < len(far) / 2:
        message = "centre or scale do not match the landmarks"
        into.add_lines("warning", "box-differs", name, _lines(faces.lines, far & ~empty, message))
        return
    # The box comes from elsewhere, as in AFLW: it must at least be around the face.
    away = (np.abs((low + high) / 2 - centre) > 100 * scale[:, None]).any(axis=1)
    message = "the middle of the face is outside its box"
    into.add_lines("error", "box-away", name, _lines(faces.lines, away & ~empty, message))


def _constant(shift: Array, tolerance: float) -> bool:
    return bool((np.ptp(shift, axis=0) < tolerance).all())


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
    return _square(np.fmin.reduce(points, axis=1), np.fmax.reduce(points, axis=1))


def _square(low: Array, high: Array) -> tuple[Array, Array]:
    low, high = np.floor(low), np.ceil(high)
    return (low + high) / 2, (high - low).max(axis=1) / 200


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
        if len(members) < 2:
            continue
        limit = MAX_STEPS[scheme.points < DENSE_SCHEME]
        if group == "contour":
            limit = MAX_CONTOUR_STEPS[len(members) < LONG_CHAIN]
        step = np.fmax.reduce(np.linalg.norm(np.diff(points[:, list(members)], axis=1), axis=2), axis=1)
        wrong = sound & (step > limit * extent)
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
                repeated.append((line, f"the same face as {name}:{first[1]}: it would count twice"))
            else:
                shared.append((line, f"the same landmarks as {name}:{first[1]}, which names another image"))
    into.add_lines("error", "duplicate", name, repeated)
    into.add_lines("error", "duplicate-landmarks", name, shared)


def _lines(lines: NDArray[np.int64], mask: NDArray[np.bool_], message: str) -> list[tuple[int, str]]:
    """Return (line, message) for the masked faces."""
    return [(int(line), message) for line in lines[mask]]
