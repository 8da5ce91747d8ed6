"""nmebench's own format: a json with one object per face.

::

    {"faces": [
        {"image": "a.jpg", "landmarks": [[12.5, 40.0], [88.0, 41.5]], "subsets": ["dark"], "box": [0, 0, 100, 120]}
    ]}

``landmarks`` has x, y of every landmark of the scheme in image px; the centre of the first pixel is (0, 0). ``null``
is a landmark that is not labelled, which the definition of the data set must allow. ``occluded`` (the indices of the
occluded landmarks), ``subsets`` (the subsets that the face belongs to), ``box`` (x_min, y_min, x_max, y_max in image
px) and ``centre_scale`` (centre x, centre y in image px, scale in units of 200 px, as in HRNet's csv) are optional; a
box must be in every face or in none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from nmebench.bounded_read import parse_json
from nmebench.datasets.readers.fields import image_name, parse_numbers
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import AnnotationRow, Entry, coordinate_labels
from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.suggest import did_you_mean

__all__ = ["FIELDS", "read", "row"]

FIELDS = ("image", "landmarks", "occluded", "subsets", "box", "centre_scale")
_BOX = ("x_min", "y_min", "x_max", "y_max")
_CENTRE_SCALE = ("centre x", "centre y", "scale")


def read(text: str, name: str, points: int, *, unlabelled: bool = False) -> Iterator[Entry]:
    """Yield the faces of a json, in its order.

    Args:
        text: the file's text.
        name: the file, for messages.
        points: the number of landmarks K.
        unlabelled: whether a landmark may be ``null``; its coordinates become NaN.

    Yields:
        A row per face, or the error in it.

    Raises:
        InputError: the text is not a json object with the list ``faces``.
    """
    table = parse_json(text, name, allow_nan=True)  # a coordinate that is NaN is reported with its place
    faces = table.get("faces") if isinstance(table, dict) else None
    if not isinstance(faces, list):
        raise InputError(f"{name}: needs the list 'faces', one object per face (docs/datasets.md)")
    for field in table:
        if field != "faces":
            raise InputError(
                f"{name}: unknown field {shown(field)[:40]!r} beside 'faces'; what holds for all faces belongs into "
                "the TOML file that defines the data set"
            )
    for position, face in enumerate(faces, start=1):
        try:
            yield row(face, position, f"{name}: face {position}", points, unlabelled=unlabelled)
        except RowError as error:
            yield error.at(position)


def row(face: Any, position: int, where: str, points: int, *, unlabelled: bool) -> AnnotationRow:
    """Check one face.

    Args:
        face: the object, as JSON has it.
        position: 1-based position in the list.
        where: file and face, for messages.
        points: the number of landmarks K.
        unlabelled: whether a landmark may be None; its coordinates become NaN.

    Raises:
        RowError: a field is unknown, missing or wrong.
    """
    if not isinstance(face, dict):
        raise RowError("columns", f"{where} is not an object")
    for field in face:
        if field not in FIELDS:
            hint = did_you_mean(field, FIELDS)
            raise RowError(
                "columns", f"{where}: unknown field {shown(field)[:40]!r}{hint}; allowed: {', '.join(FIELDS)}"
            )
    landmarks = face.get("landmarks")
    if not isinstance(landmarks, list) or len(landmarks) != points:
        found = f"{len(landmarks)} landmarks" if isinstance(landmarks, list) else "no list 'landmarks'"
        raise RowError("columns", f"{where}: {found}, expected {points}")
    missing = [landmark for landmark, pair in enumerate(landmarks) if pair is None]
    for landmark, pair in enumerate(landmarks):
        if pair is None and unlabelled:
            continue
        if not isinstance(pair, list) or len(pair) != 2:
            hint = "; a landmark without a position can't be scored: annotate it or remove the face"
            raise RowError(
                "columns", f"{where}: landmark {landmark} is not a list of x and y{hint if pair is None else ''}"
            )
    box = face.get("box")
    if box is not None and (not isinstance(box, list) or len(box) != 4):
        raise RowError("columns", f"{where}: 'box' is not a list of four numbers ({', '.join(_BOX)})")
    centre_scale = face.get("centre_scale")
    if centre_scale is not None and (not isinstance(centre_scale, list) or len(centre_scale) != 3):
        raise RowError("columns", f"{where}: 'centre_scale' is not a list of {', '.join(_CENTRE_SCALE)}")
    subsets = face.get("subsets", [])
    if not isinstance(subsets, list) or not all(isinstance(one, str) and one for one in subsets):
        raise RowError("columns", f"{where}: 'subsets' is not a list of names")
    coordinates = parse_numbers(
        [value for pair in landmarks for value in pair or (0, 0)], where, coordinate_labels(points)
    )
    for landmark in missing:
        coordinates[2 * landmark : 2 * landmark + 2] = [math.nan, math.nan]
    return AnnotationRow(
        position,
        image_name(face.get("image"), where),
        coordinates,
        rect=None if box is None else parse_numbers(box, where, _BOX),
        centre_scale=None if centre_scale is None else parse_numbers(centre_scale, where, _CENTRE_SCALE),
        subsets=tuple(subsets),
        occluded=_occluded(face.get("occluded"), where, points),
    )


def _occluded(given: Any, where: str, points: int) -> tuple[bool, ...] | None:
    """Return which landmarks are occluded; None for a face without the field."""
    if given is None:
        return None
    if not isinstance(given, list) or not all(type(index) is int and 0 <= index < points for index in given):
        raise RowError("columns", f"{where}: 'occluded' is not a list of landmarks from 0 to {points - 1}")
    return tuple(landmark in set(given) for landmark in range(points))
