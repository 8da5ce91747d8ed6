"""Landmark schemes: the meaning of each landmark index. Each scheme is a TOML file in ``harness/geometry/schemes/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from nmebench.bounded_read import read_toml
from nmebench.errors import InputError
from nmebench.field_problem import problems
from nmebench.geometry.extents import extents
from nmebench.geometry.scheme_table import SchemeTable
from nmebench.printable import shown
from nmebench.registry import Registry
from nmebench.suggest import unknown

__all__ = ["MAX_BYTES", "REGISTRY", "Normaliser", "Scheme", "build", "load", "names", "normaliser", "read"]

MAX_BYTES = 1 << 20
"""Size limit of a scheme's file."""


_LENGTHS = {
    "box-size": "sqrt(w h) of the landmarks' extents",
    "box-diagonal": "sqrt(w^2 + h^2) of the landmarks' extents",
    "box-height": "h of the landmarks' extents",
    "annotated-box": "side of the annotated square box",
    "annotated-box-size": "sqrt(w h) of the annotated box",
    "annotated-box-diagonal": "diagonal of the annotated square box",
}


class Normaliser(NamedTuple):
    """A length that a face's landmark errors are divided by."""

    kind: str
    """``distance`` between the means of the landmarks ``first`` and ``second``, or a measure of the tight box around
    all landmarks: ``box-size`` sqrt(w * h), ``box-diagonal`` sqrt(w^2 + h^2) or ``box-height`` h; or a measure of the
    box that the annotation file gives: ``annotated-box`` is the side of a square box, ``annotated-box-size`` is
    sqrt(w * h), ``annotated-box-diagonal`` the diagonal of a square box."""
    first: tuple[int, ...]
    second: tuple[int, ...]
    source: str
    """The paper or code that defines it."""

    @property
    def annotated(self) -> bool:
        """True for a length of the box that the annotations give, which the landmarks don't tell."""
        return self.kind.startswith("annotated-box")

    @property
    def length(self) -> str:
        """The length in words.

        Example:
            >>> Normaliser("box-size", (), (), "").length
            "sqrt(w h) of the landmarks' extents"
        """
        if self.kind == "distance":
            ends = (", ".join(map(str, points)) for points in (self.first, self.second))
            return " to ".join(f"landmark{'s' if ',' in end else ''} {end}" for end in ends)
        return _LENGTHS[self.kind]


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

    def __repr__(self) -> str:
        """Return one line: the name, the points and the normalisers."""
        return f"<Scheme {self.name}: {self.points} points, normalisers {', '.join(self.normalisers)}>"


REGISTRY = Registry(
    "scheme",
    {
        name: f"nmebench.geometry.shipped_schemes:{name.upper()}"
        for name in ("wflw98", "ibug68", "cofw29", "aflw19", "lapa106")
    },
    group="nmebench.schemes",
)
"""Shipped schemes and those of other distributions, whose entry points name a :class:`Scheme` (:func:`read`)."""


def names() -> tuple[str, ...]:
    """Return the names of all schemes.

    Example:
        >>> names()
        ('wflw98', 'ibug68', 'cofw29', 'aflw19', 'lapa106')
    """
    return tuple(REGISTRY.names())


def load(name: str) -> Scheme:
    """Return a scheme by name.

    Raises:
        InputError: the name is unknown; the message has the nearest match.

    Example:
        >>> load("wflw98").groups["pupils"]
        (96, 97)
    """
    scheme: Scheme = REGISTRY.load(name).value
    return scheme


def read(path: Path) -> Scheme:
    """Return the scheme that a TOML file defines (docs/datasets.md shows one).

    Raises:
        InputError: the file can't be read, or a field is missing or wrong.
    """
    return build(read_toml(path, limit=MAX_BYTES, kind="scheme"), shown(path))


def normaliser(
    scheme: Scheme,
    landmarks: NDArray[np.floating],
    name: str | None = None,
    *,
    box_side: NDArray[np.floating] | None = None,
    rect: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Compute the length that each face's errors are divided by.

    Args:
        scheme: the landmark scheme.
        landmarks: ground truth ``[N, K, 2]``, image px; NaN for landmarks that are not labelled.
        name: one of ``scheme.normalisers``; None for the scheme's default.
        box_side: ``[N]`` image px, the side of each face's annotated box; needed for ``annotated-box`` and
            ``annotated-box-diagonal`` only.
        rect: ``[N, 4]`` x_min, y_min, x_max, y_max of each face's annotated box, image px; needed for
            ``annotated-box-size`` only.

    Returns:
        ``[N]`` float64 image px, 0 for a degenerate face, NaN for a face without a landmark that the length needs.
        Boxes are those of the labelled landmarks.

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
    if rule.annotated:
        given = rect if rule.kind == "annotated-box-size" else box_side
        if given is None:
            raise InputError(
                f"the normaliser {name!r} of {scheme.name} needs the box of each face, which these annotations don't "
                "have: use annotations with a box, or another normaliser"
            )
        annotated = np.asarray(given, dtype=np.float64)
        if rule.kind == "annotated-box-size":
            return _rectangle_size(annotated)
        return annotated if rule.kind == "annotated-box" else np.sqrt(2.0) * annotated
    lengths: NDArray[np.float64]
    if rule.kind == "distance":
        ends = points[:, list(rule.first)].mean(1) - points[:, list(rule.second)].mean(1)
        return np.asarray(np.hypot(ends[:, 0], ends[:, 1]))
    low, high = extents(points)
    width, height = (high - low).T
    if rule.kind == "box-size":
        lengths = np.sqrt(width * height)
    elif rule.kind == "box-diagonal":
        lengths = np.hypot(width, height)
    else:
        lengths = height
    return lengths


def _rectangle_size(rect: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sqrt(w * h) of rectangles ``[N, 4]``, image px; 0 where a side is not positive."""
    width, height = np.maximum(rect[:, 2:] - rect[:, :2], 0.0).T
    return np.asarray(np.sqrt(width * height))


def build(table: Mapping[str, Any], where: str) -> Scheme:
    """Build a scheme from its TOML table and check it, because a wrong table would silently give wrong numbers.

    Args:
        table: the fields of a scheme.
        where: the file, for messages.

    Raises:
        InputError: a field is missing or wrong.

    Example:
        >>> points = {"name": "two", "points": 2, "flip": {"pairs": [[0, 1]]}, "groups": {"eyes": [0, 1]}}
        >>> eyes = {"kind": "distance", "first": [0], "second": [1], "source": "ours"}
        >>> build({**points, "normalisers": {"eyes": eyes}, "default_normaliser": "eyes"}, "two.toml").flip.tolist()
        [1, 0]
    """
    try:
        given = SchemeTable.model_validate(table)
    except ValidationError as error:
        found = problems(error, nameless="scheme", fields=SchemeTable.model_fields)
        raise InputError(f"{where}: {found} (docs/datasets.md shows a scheme)") from error
    flip = np.arange(given.points)
    for left, right in given.flip.pairs:
        flip[left], flip[right] = right, left
    flip.setflags(write=False)
    return Scheme(
        name=given.name,
        points=given.points,
        flip=flip,
        groups=given.members(),
        normalisers={
            name: Normaliser(rule.kind, rule.first, rule.second, rule.source)
            for name, rule in given.normalisers.items()
        },
        default_normaliser=given.default_normaliser,
    )
