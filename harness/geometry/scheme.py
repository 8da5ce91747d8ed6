"""Landmark schemes: the meaning of each landmark index. Each scheme is a TOML file in ``harness/geometry/schemes/``."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmebench.errors import InputError
from nmebench.suggest import unknown

__all__ = ["Normaliser", "Scheme", "load", "names", "normaliser"]

KINDS = ("distance", "box-size", "box-diagonal", "box-height", "annotated-box")
"""Kinds of normalisers."""


class Normaliser(NamedTuple):
    """A length that a face's landmark errors are divided by."""

    kind: str
    """``distance`` between the means of the landmarks ``first`` and ``second``, or a measure of the tight box around
    all landmarks: ``box-size`` sqrt(w * h), ``box-diagonal`` sqrt(w^2 + h^2) or ``box-height`` h. ``annotated-box`` is
    the side of the square box that the annotation file gives."""
    first: tuple[int, ...]
    second: tuple[int, ...]
    source: str
    """The paper or code that defines it."""


@dataclass(frozen=True)
class Scheme:
    """The meaning of K landmarks."""

    name: str
    points: int
    flip: NDArray[np.int64]
    """[K]: landmark ``i`` of a mirrored face is landmark ``flip[i]`` of the face."""
    groups: Mapping[str, tuple[int, ...]]
    """Landmarks by part of the face; every landmark is in one group."""
    normalisers: Mapping[str, Normaliser]
    default_normaliser: str


def names() -> tuple[str, ...]:
    """Return the names of the shipped schemes, sorted.

    Example:
        >>> names()
        ('aflw19', 'cofw29', 'ibug68', 'lapa106', 'wflw98')
    """
    folder = resources.files("nmebench.geometry").joinpath("schemes")
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


@functools.cache
def load(name: str) -> Scheme:
    """Return a scheme by name.

    Raises:
        InputError: the name is unknown; the message has the nearest match.

    Example:
        >>> load("wflw98").groups["pupils"]
        (96, 97)
    """
    if name not in names():
        raise InputError(unknown("scheme", name, names()))
    text = resources.files("nmebench.geometry").joinpath("schemes", f"{name}.toml").read_text(encoding="utf-8")
    return _build(tomllib.loads(text))


def normaliser(
    scheme: Scheme,
    landmarks: NDArray[np.floating],
    name: str | None = None,
    *,
    box_side: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Compute the length that each face's errors are divided by.

    Args:
        scheme: the landmark scheme.
        landmarks: ground truth ``[N, K, 2]``, image px.
        name: one of ``scheme.normalisers``; None for the scheme's default.
        box_side: ``[N]`` image px, the side of each face's annotated box; needed for ``annotated-box`` only.

    Returns:
        ``[N]`` float64 image px, 0 for a degenerate face.

    Raises:
        InputError: the name is unknown, the shape of the landmarks is wrong, or the annotated boxes are missing.

    Example:
        >>> face = np.zeros((1, 98, 2))
        >>> face[0, 60], face[0, 72] = (100.0, 50.0), (160.0, 50.0)  # outer eye corners
        >>> normaliser(load("wflw98"), face).tolist()
        [60.0]
    """
    name = scheme.default_normaliser if name is None else name
    if name not in scheme.normalisers:
        raise InputError(unknown(f"normaliser of {scheme.name}", name, tuple(scheme.normalisers)))
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (scheme.points, 2):
        raise InputError(f"landmarks of shape {points.shape} are not [N, {scheme.points}, 2] of {scheme.name}")
    rule = scheme.normalisers[name]
    if rule.kind == "annotated-box":
        if box_side is None:
            raise InputError(
                f"the normaliser {name!r} of {scheme.name} needs the box of each face, which these annotations don't "
                "have: use annotations with a box, or another normaliser"
            )
        return np.asarray(box_side, dtype=np.float64)
    lengths: NDArray[np.float64]
    width, height = np.ptp(points, axis=1).T
    if rule.kind == "distance":
        ends = points[:, list(rule.first)].mean(1) - points[:, list(rule.second)].mean(1)
        lengths = np.hypot(ends[:, 0], ends[:, 1])
    elif rule.kind == "box-size":
        lengths = np.sqrt(width * height)
    elif rule.kind == "box-diagonal":
        lengths = np.hypot(width, height)
    else:
        lengths = height
    return lengths


def _build(table: dict[str, Any]) -> Scheme:
    """Build a scheme from its TOML table and check it, because a wrong table would silently give wrong numbers."""
    points = int(table["points"])
    flip = np.arange(points)
    for left, right in table["flip"]["pairs"]:
        flip[left], flip[right] = right, left
    groups = {
        group: tuple(members["points"]) if isinstance(members, dict) else tuple(range(members[0], members[1] + 1))
        for group, members in table["groups"].items()
    }
    normalisers = {
        key: Normaliser(
            kind=rule["kind"],
            first=tuple(rule.get("first", ())),
            second=tuple(rule.get("second", ())),
            source=rule["source"],
        )
        for key, rule in table["normalisers"].items()
    }
    if not np.array_equal(flip[flip], np.arange(points)):
        raise InputError(f"scheme {table['name']}: a landmark is in two flip pairs")
    if sorted(index for members in groups.values() for index in members) != list(range(points)):
        raise InputError(f"scheme {table['name']}: the groups are not a partition of its {points} landmarks")
    if any(rule.kind not in KINDS or bool(rule.first) != (rule.kind == "distance") for rule in normalisers.values()):
        raise InputError(f"scheme {table['name']}: a normaliser's kind is not one of {', '.join(KINDS)}")
    if table["default_normaliser"] not in normalisers:
        raise InputError(f"scheme {table['name']}: no normaliser {table['default_normaliser']!r}")
    flip.setflags(write=False)
    return Scheme(
        name=table["name"],
        points=points,
        flip=flip,
        groups=groups,
        normalisers=normalisers,
        default_normaliser=table["default_normaliser"],
    )
