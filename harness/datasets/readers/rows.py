"""What the readers of the formats have in common: a row of an annotation file, and a table of rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.readers.row_error import RowError
from nmebench.errors import InputError

__all__ = ["AnnotatedFaces", "AnnotationRow", "Entry", "gather", "labels"]


@dataclass(frozen=True, slots=True)
class AnnotationRow:
    """One face as a file has it."""

    line: int
    """1-based line of the list or csv, 1-based position in the json."""
    image: str
    points: list[float]
    """x0, y0, x1, y1, ... in image px."""
    rect: list[float] | None = None
    """x_min, y_min, x_max, y_max in image px."""
    centre_scale: list[float] | None = None
    """Centre x, centre y in image px, scale in 200 px."""
    attributes: tuple[bool, ...] | None = None
    """In the order of ``protocol.ATTRIBUTES``."""


Entry = AnnotationRow | RowError
"""A row, or what is wrong with it. Readers yield both: loading stops at the first error, verifying collects all."""


@dataclass(frozen=True)
class AnnotatedFaces:
    """The rows of one file as arrays."""

    images: tuple[str, ...]
    lines: NDArray[np.int64]
    landmarks: NDArray[np.float64]
    """[N, K, 2]"""
    rect: NDArray[np.float64] | None
    centre_scale: NDArray[np.float64] | None
    attributes: NDArray[np.bool_] | None
    """[N, 6]"""

    def keys(self) -> list[tuple[str, bytes]]:
        """What a face is matched by across files: image and landmarks, since an image may show several faces."""
        return [(image, points.tobytes()) for image, points in zip(self.images, self.landmarks, strict=True)]


def gather(entries: Iterable[Entry], name: str, points: int) -> AnnotatedFaces:
    """The rows as arrays.

    :param name: the file, for messages.
    :raises InputError: the first of ``entries``; when there is no row; when only some rows carry a box.
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
    )


@cache
def labels(points: int) -> tuple[str, ...]:
    """What the numbers of a face are, for messages: ``landmark 0 x``, ``landmark 0 y``, ..."""
    return tuple(f"landmark {index} {axis}" for index in range(points) for axis in "xy")


def _column(
    values: list[list[float] | None], rows: list[AnnotationRow], name: str, what: str
) -> NDArray[np.float64] | None:
    """An array when every row has the value, None when no row has."""
    missing = [row.line for row, value in zip(rows, values, strict=True) if value is None]
    if len(missing) == len(rows):
        return None
    if missing:
        raise InputError(f"{name}:{missing[0]}: the face has no {what}, which other faces of the file have")
    return np.array(values, dtype=np.float64)
