"""Checks that the landmarks are those of the scheme: not mirrored, not exchanged, in the scheme's order.

The bounds are measured on the 2168 WFLW test faces whose landmarks are known, on their 1 to 12 turned faces, and on the
same faces in the other shipped schemes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.datasets.verify.report import Collector
from nmebench.datasets.verify.shapes import Fit, fit, shape_of
from nmebench.geometry.scheme import Scheme

__all__ = ["check_order", "check_scheme"]

Array = NDArray[np.float64]

#: Smallest number of faces, and the largest plausible distance of a landmark's median position from the schematic face
#: in percent of the inter-ocular distance. The largest measured values are 15.2, 24.7 and 39.6.
_BOUNDS: Final = ((100, 17.0), (10, 27.0), (3, 45.0))

_SHORTEST: Final = 0.55
"""The smallest plausible ratio of the normaliser to that of the schematic face; 0.57 is the smallest of 3 turned faces.
Exchanged inner and outer eye corners give up to 0.56 on 3 faces and 0.44 to 0.52 on 10."""

_MIN_FACES: Final = 3

_TURNED: Final = 60.0
"""Degrees by which the typical face is turned if the photographs were."""

_OWN_BOUND: Final = 0.25
"""Largest plausible asymmetry of the mean face of an own scheme, as a share of its extent."""


def check_order(faces: AnnotatedFaces, scheme: Scheme, name: str, into: Collector) -> None:
    """Find mirrored faces, exchanged axes, landmarks in another order, and exchanged eye corners.

    Args:
        faces: the faces.
        scheme: the landmark scheme.
        name: the file that the findings name.
        into: receives the findings.
    """
    shape = shape_of(scheme)
    if shape is None:
        _check_symmetry(faces, scheme, name, into)
        return
    fitted = fit(shape, faces.landmarks)
    mirrored = fitted.mirrored
    solved = ~np.isnan(fitted.maps).any(axis=(1, 2))
    if mirrored.sum() > len(mirrored) / 2:
        # An affine map that mirrors fits mirrored faces well, and landmarks in another order badly.
        if mirrored.sum() >= _MIN_FACES and _check_positions(fitted, mirrored, scheme, name, into):
            return
        message = f"{int(mirrored.sum())} of {len(mirrored)} faces are mirrored: {_reflection(fitted.maps[mirrored])}"
        into.add("error", "mirrored", name, None, message)
        return
    message = "the face is mirrored: x and y swapped, or left and right landmarks exchanged"
    into.add_lines("error", "mirrored", name, [(int(line), message) for line in faces.lines[mirrored]])
    usable = ~mirrored & solved
    if usable.sum() < _MIN_FACES:
        return
    _check_turned(fitted.maps[usable], name, into)
    _check_normaliser(faces.landmarks[usable], fitted.maps[usable], shape, scheme, name, into)
    _check_positions(fitted, usable, scheme, name, into)


def check_scheme(scheme: Scheme, name: str, into: Collector) -> None:
    """Find normalisers whose two ends are not mirror images of each other, and a flip that exchanges nothing.

    Args:
        scheme: the landmark scheme.
        name: the file that the findings name.
        into: receives the findings.
    """
    for rule_name, rule in scheme.normalisers.items():
        ends = [set(rule.first), set(rule.second)]
        across = [{int(scheme.flip[point]) for point in ends[0]}, ends[0]]
        if rule.kind == "distance" and ends[1] not in across:
            first, second = (", ".join(map(str, points)) for points in (rule.first, rule.second))
            message = (
                f"{rule_name} is measured between the landmarks {first} and {second}, which the flip does not "
                "exchange: are they the points of the protocol?"
            )
            into.add("warning", "normaliser-points", name, None, message)
    if scheme.points > 1 and np.array_equal(scheme.flip, np.arange(scheme.points)):
        message = "the flip exchanges no landmarks, so a flip test would mirror left and right: list the pairs"
        into.add("warning", "flip-identity", name, None, message)


def _reflection(maps: Array) -> str:
    """Return the likely cause of mirrored faces from their maps ``[N, 2, 2]``."""
    size = np.abs(np.linalg.det(maps))[:, None, None] ** 0.5
    typical = np.median(maps / size, axis=0)
    if abs(typical[0, 1]) + abs(typical[1, 0]) > abs(typical[0, 0]) + abs(typical[1, 1]):
        return "are the columns of x and y swapped?"
    if typical[1, 1] < 0:
        return "does y count from the bottom of the picture?"
    return "were x mirrored without exchanging left and right landmarks, or the landmarks without x?"


def _check_turned(maps: Array, name: str, into: Collector) -> None:
    """Find photographs that were turned: the typical face isn't upright."""
    down = maps[:, 1] / np.linalg.norm(maps[:, 1], axis=1, keepdims=True)  # the face's own direction of down
    typical = np.median(down, axis=0)
    angle = float(np.degrees(np.arctan2(-typical[0], typical[1])))
    if abs(angle) > _TURNED:
        message = f"the typical face is turned by {angle:.0f} degrees: were the photographs turned, or x and y changed?"
        into.add("warning", "turned", name, None, message)


def _check_normaliser(points: Array, maps: Array, shape: Array, scheme: Scheme, name: str, into: Collector) -> None:
    """Find a normaliser that is too short for the face."""
    for rule_name, rule in scheme.normalisers.items():
        if rule.kind != "distance":
            continue
        first, second = list(rule.first), list(rule.second)
        across = (points[:, second].mean(axis=1) - points[:, first].mean(axis=1))[:, None] @ np.linalg.inv(maps)
        expected = np.linalg.norm(shape[second].mean(axis=0) - shape[first].mean(axis=0))
        lengths = np.linalg.norm(across[:, 0], axis=1) / expected
        ratio = float(np.median(lengths[~np.isnan(lengths)])) if (~np.isnan(lengths)).any() else 1.0
        if ratio < _SHORTEST:
            ends = f"{', '.join(map(str, first))} and {', '.join(map(str, second))}"
            message = (
                f"{rule_name}, between the landmarks {ends}, is {ratio:.2f} of its length on a typical face: are "
                "these landmarks exchanged with others?"
            )
            into.add("error", "normaliser-points", name, None, message)


def _check_positions(fitted: Fit, usable: NDArray[np.bool_], scheme: Scheme, name: str, into: Collector) -> bool:
    """Find landmarks that are typically elsewhere than in the scheme; return whether there are some.

    Each face is also used mirrored, so that a set of profiles of one side has no typical turn of the head.
    """
    bound = next(value for faces, value in _BOUNDS if usable.sum() >= faces)
    off = fitted.residuals[usable]
    both = np.concatenate([off, off[:, scheme.flip] * [-1.0, 1.0]])
    known = ~np.isnan(both).any(axis=2)
    distance = np.zeros(scheme.points)
    for point in np.flatnonzero(known.sum(axis=0) >= _MIN_FACES):
        distance[point] = np.linalg.norm(np.median(both[known[:, point], point], axis=0))
    wrong = np.flatnonzero(distance > bound)
    if len(wrong):
        worst = int(distance.argmax())
        group = next((one for one, members in scheme.groups.items() if worst in members), "")
        message = (
            f"landmark {worst}{f' ({group})' if group else ''} is typically {distance[worst]:.0f} % of the "
            f"inter-ocular distance from its place in {scheme.name} ({len(wrong)} such landmarks): are the landmarks "
            "in another order?"
        )
        into.add("error", "point-order", name, None, message)
    return bool(len(wrong))


def _check_symmetry(faces: AnnotatedFaces, scheme: Scheme, name: str, into: Collector) -> None:
    """Check a scheme of one's own: its mean face must resemble its own mirror image under the flip."""
    whole = faces.landmarks[~np.isnan(faces.landmarks).any(axis=(1, 2))]
    extent = np.ptp(whole, axis=1).max(axis=1) if len(whole) else np.zeros(0)
    whole, extent = whole[extent > 0], extent[extent > 0]
    if len(whole) < _MIN_FACES or scheme.points < 4:
        return
    mean = ((whole - whole.mean(axis=1, keepdims=True)) / extent[:, None, None]).mean(axis=0)
    mirror = fit(mean, mean[scheme.flip][None] * [-1.0, 1.0])
    if np.isnan(mirror.maps).any():
        return
    if (np.diag(mirror.maps[0]) < 0).all():
        message = "the mean face is symmetric about a horizontal line: are the columns of x and y swapped?"
        into.add("error", "mirrored", name, None, message)
        return
    off = np.linalg.norm(mirror.residuals[0], axis=1)
    if off.max() > _OWN_BOUND or (mirror.mirrored[0] and not np.array_equal(scheme.flip, np.arange(scheme.points))):
        message = (
            f"the mean face does not resemble its mirror image with left and right exchanged (landmark "
            f"{int(off.argmax())}): are the landmarks or the pairs of the flip in another order?"
        )
        into.add("error", "point-order", name, None, message)
