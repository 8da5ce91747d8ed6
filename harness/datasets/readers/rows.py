"""Rows of an annotation file, and their conversion to arrays; shared by all format readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.readers.fields import with_slashes
from nmebench.datasets.readers.row_error import RowError
from nmebench.errors import InputError

__all__ = ["AnnotatedFaces", "AnnotationRow", "Entry", "coordinate_labels", "gather"]


@dataclass(frozen=True, slots=True)
class AnnotationRow:
    """One face of an annotation file."""

    line: int
    """1-based line of the list or csv, 1-based position in the json."""
    image: str
    points: list[float]
    """x0, y0, x1, y1, ... in image px; NaN for both coordinates of a landmark that is not labelled."""
    rect: list[float] | None = None
    """x_min, y_min, x_max, y_max in image px."""
    centre_scale: list[float] | None = None
    """Centre x, centre y in image px, scale in units of 200 px."""
    attributes: tuple[bool, ...] | None = None
    """In the order of ``protocol.ATTRIBUTES``."""
    subsets: tuple[str, ...] | None = None
    """Names of the subsets that the face belongs to; None for a format that doesn't name them."""
    occluded: tuple[bool, ...] | None = None
    """Flag of each landmark, True if it is occluded; None where the file doesn't tell."""


Entry = AnnotationRow | RowError
"""A row, or the error in it. Readers yield both: loading stops at the first error, verifying collects all."""


@dataclass(frozen=True)
class AnnotatedFaces:
    """The N faces of one file as arrays."""

    images: tuple[str, ...]
    """[N]"""
    lines: NDArray[np.int64]
    """[N]"""
    landmarks: NDArray[np.float64]
    """[N, K, 2] image px; NaN for landmarks that are not labelled"""
    rect: NDArray[np.float64] | None
    """[N, 4]"""
    centre_scale: NDArray[np.float64] | None
    """[N, 3]"""
    attributes: NDArray[np.bool_] | None
    """[N, 6]"""
    subsets: Mapping[str, NDArray[np.bool_]] | None = None
    """By name ``[N]``, sorted by name; None for a format that doesn't name them."""
    occluded: NDArray[np.bool_] | None = None
    """[N, K]; None where the file doesn't tell"""

    def keys(self) -> list[tuple[str, bytes]]:
        """Keys that identify faces across files: image and landmarks, because an image may show several faces."""
        return [
            (with_slashes(image), points.tobytes()) for image, points in zip(self.images, self.landmarks, strict=True)
        ]


def gather(entries: Iterable[Entry], name: str, points: int) -> AnnotatedFaces:
    """Convert rows to arrays.

    Args:
        entries: rows and errors from a reader.
        name: the file, for messages.
        points: the number of landmarks K.

    Raises:
        RowError: the first error among ``entries``.
        InputError: there is no row, or only some rows carry a box.

    Example:
        >>> faces = gather([AnnotationRow(1, "a.jpg", [1.0, 2.0, 3.0, 4.0])], "list.txt", 2)
        >>> faces.landmarks.tolist()
        [[[1.0, 2.0], [3.0, 4.0]]]
    """
    rows: list[AnnotationRow] = []
    for entry in entries:
        if isinstance(entry, RowError):
            raise entry
        rows.append(entry)
    if not rows:
        raise InputError(f"{name} holds no faces")
    return AnnotatedFaces(
        images=tuple(row.image for row in rows),
        lines=np.array([row.line for row in rows], dtype=np.int64),
        landmarks=np.array([row.points for row in rows], dtype=np.float64).reshape(len(rows), points, 2),
        rect=_column([row.rect for row in rows], rows, name, "rectangle"),
        centre_scale=_column([row.centre_scale for row in rows], rows, name, "centre and scale"),
        attributes=(
            np.array([row.attributes for row in rows], dtype=np.bool_)
            if all(row.attributes is not None for row in rows)
            else None
        ),
        subsets=None if any(row.subsets is None for row in rows) else _named_subsets(rows),
        occluded=_occluded(rows, points),
    )


def _occluded(rows: list[AnnotationRow], points: int) -> NDArray[np.bool_] | None:
    """Return which landmarks ``[N, K]`` are occluded; None if no row tells. A row without flags has none."""
    if all(row.occluded is None for row in rows):
        return None
    return np.array([row.occluded or (False,) * points for row in rows], np.bool_)


def _named_subsets(rows: list[AnnotationRow]) -> dict[str, NDArray[np.bool_]]:
    """Return the faces of each subset that a row names."""
    names = sorted({name for row in rows for name in row.subsets or ()})
    return {name: np.array([name in (row.subsets or ()) for row in rows], np.bool_) for name in names}


@cache
def coordinate_labels(points: int) -> tuple[str, ...]:
    """Return the names of a face's 2 K coordinates, for messages.

    Example:
        >>> coordinate_labels(2)
        ('landmark 0 x', 'landmark 0 y', 'landmark 1 x', 'landmark 1 y')
    """
    return tuple(f"landmark {index} {axis}" for index in range(points) for axis in "xy")


def _column(
    values: list[list[float] | None], rows: list[AnnotationRow], name: str, what: str
) -> NDArray[np.float64] | None:
    """Return an array when every row has the value, None when no row has it."""
    missing = [row.line for row, value in zip(rows, values, strict=True) if value is None]
    if len(missing) == len(rows):
        return None
    if missing:
        raise InputError(f"{name}:{missing[0]}: the face has no {what}, which other faces of the file have")
    return np.array(values, dtype=np.float64)
