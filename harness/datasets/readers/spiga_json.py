"""SPIGA's json: a list with one object per face.

::

    [{"imgpath": "images/test/a.jpg", "bbox": [58.0, 9.8, 127.5, 108.3], "headpose": [...],
      "ids": [101, 102, ...], "landmarks": [[58.0, 31.0], [60.1, 45.2], ...], "visible": [1.0, 0.0, ...]}]

Source: ``spiga/data/annotations`` of andresprados/SPIGA. ``ids`` names each row of ``landmarks`` and ``visible`` by
SPIGA's own number, and one number means different landmarks in its sets of 68 and of 98 points. So landmarks are found
by their id, never by their position. ``bbox`` (x, y, width, height) is the landmarks' extent. ``headpose`` is not read.

The coordinates are returned as they are in the file. Their origin differs between SPIGA's own files: 300-W counts the
first pixel as 0, COFW-68 counts it as 1 (``origins`` in the benchmark's TOML file).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, Final

from nmebench.bounded_read import parse_json
from nmebench.datasets.readers.fields import image_name, parse_numbers
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import AnnotationRow, Entry, coordinate_labels
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["IDS", "read", "subset_rows"]

IDS: Final[Mapping[int, tuple[int, ...]]] = MappingProxyType(
    {
        68: (
            *(101, 102, 103, 104, 105, 106, 107, 108, 24, 110, 111, 112, 113, 114, 115, 116, 117),  # contour
            *(1, 119, 2, 121, 3, 4, 124, 5, 126, 6),  # brows
            *(128, 129, 130, 17, 16, 133, 134, 135, 18),  # nose
            *(7, 138, 139, 8, 141, 142, 11, 144, 145, 12, 147, 148),  # eyes
            *(20, 150, 151, 22, 153, 154, 21, 156, 157, 23, 159, 160),  # outer lip
            *range(161, 169),  # inner lip
        ),
        98: (
            *(*range(100, 116), 24, *range(117, 133)),  # contour
            *(1, 134, 2, 136, 3, 138, 139, 140, 141, 4, 143, 5, 145, 6, 147, 148, 149, 150),  # brows
            *(151, 152, 153, 17, 16, 156, 157, 158, 18),  # nose
            *(7, 161, 9, 163, 8, 165, 10, 167, 11, 169, 13, 171, 12, 173, 14, 175),  # eyes
            *(20, 177, 178, 22, 180, 181, 21, 183, 184, 23, 186, 187),  # outer lip
            *range(188, 196),  # inner lip
            *(196, 197),  # pupils
        ),
    }
)
"""SPIGA's id of every landmark, by the number of landmarks (``ldm_ids`` in its ``db_info.json``)."""

_BOX = ("bbox x", "bbox y", "bbox width", "bbox height")


def read(text: str, name: str, points: int, *, unlabelled: bool = False, occlusion: bool = False) -> Iterator[Entry]:
    """Yield the faces of a json, in its order.

    Args:
        text: the file's text.
        name: the file, for messages.
        points: the number of landmarks K.
        unlabelled: whether a face may leave out landmarks; their coordinates become NaN.
        occlusion: whether 0 in ``visible`` means occluded; in 300-W's files it has no meaning.

    Yields:
        A row per face, or the error in it.

    Raises:
        InputError: the text is not a json list, or SPIGA has no ids for that number of landmarks.
    """
    if points not in IDS:
        known = ", ".join(map(str, IDS))
        raise InputError(f"{name}: SPIGA's ids are known for {known} landmarks, not for {points}")
    faces = parse_json(text, name, allow_nan=True)  # a coordinate that is NaN is reported with its place
    if not isinstance(faces, list):
        raise InputError(f"{name} is not SPIGA's json: it needs a list with one object per face")
    places = {number: place for place, number in enumerate(IDS[points])}
    for position, face in enumerate(faces, start=1):
        try:
            where = f"{name}: face {position}"
            yield _row(face, position, where, places, unlabelled=unlabelled, occlusion=occlusion)
        except RowError as error:
            yield error.at(position)


def subset_rows(text: str, name: str, faces: int) -> dict[str, list[int]]:
    """Return the rows of each subset from the text of a ``db_info.json``.

    Args:
        text: the file's text.
        name: the file, for messages.
        faces: the number of faces of the annotation file.

    Returns:
        0-based rows by SPIGA's name of the subset; empty if the file names none.

    Raises:
        InputError: the text is no json object, or a subset is no list of different rows of the annotation file.

    Example:
        >>> subset_rows('{"test_subsets": {"ibug": [1, 2]}}', "db_info.json", 3)
        {'ibug': [1, 2]}
    """
    table = parse_json(text, name)
    subsets = table.get("test_subsets", {}) if isinstance(table, dict) else None
    if not isinstance(subsets, dict):
        raise InputError(f"{name} is not SPIGA's db_info.json: it needs the table 'test_subsets'")
    for subset, rows in subsets.items():
        where = f"{name}: the subset {shown(subset)[:40]!r}"
        if not isinstance(rows, list) or not all(isinstance(row, int) and not isinstance(row, bool) for row in rows):
            raise InputError(f"{where} is not a list of row numbers")
        beyond = next((row for row in rows if not 0 <= row < faces), None)
        if beyond is not None:
            raise InputError(f"{where} has the row {str(beyond)[:20]}, but the json has {faces} faces (rows from 0)")
        if len(set(rows)) < len(rows):
            raise InputError(f"{where} has a row twice")
    return subsets


def _row(
    face: Any, position: int, where: str, places: Mapping[int, int], *, unlabelled: bool, occlusion: bool
) -> AnnotationRow:
    if not isinstance(face, dict):
        raise RowError("columns", f"{where} is not an object")
    ids, landmarks, visible = (_list(face, field, where) for field in ("ids", "landmarks", "visible"))
    if not len(ids) == len(landmarks) == len(visible):
        raise RowError(
            "columns", f"{where}: {len(ids)} ids, {len(landmarks)} landmarks and {len(visible)} values 'visible'"
        )
    rows = _rows(ids, places, where)
    missing = [number for number in places if number not in rows]
    if missing and not unlabelled:
        raise RowError(
            "visibility",
            f"{where}: {len(missing)} of {len(places)} landmarks have no position, the first is id {missing[0]} "
            f"(landmark {places[missing[0]]}): the NME counts all of them; remove the face",
        )
    pairs = [landmarks[rows[number]] if number in rows else [0, 0] for number in places]
    for landmark, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != 2:
            raise RowError("columns", f"{where}: landmark {landmark} is not a list of x and y")
    _check_visible(visible, where)
    box = _list(face, "bbox", where)
    if len(box) != len(_BOX):
        raise RowError("columns", f"{where}: 'bbox' is not a list of four numbers")
    x, y, width, height = parse_numbers(box, where, _BOX)
    coordinates = parse_numbers(list(chain.from_iterable(pairs)), where, coordinate_labels(len(places)))
    for number in missing:
        coordinates[2 * places[number] : 2 * places[number] + 2] = [math.nan, math.nan]
    return AnnotationRow(
        position,
        image_name(face.get("imgpath"), where),
        coordinates,
        rect=[x, y, x + width, y + height],
        occluded=tuple(number in rows and visible[rows[number]] == 0 for number in places) if occlusion else None,
    )


def _list(face: dict[str, Any], field: str, where: str) -> list[Any]:
    value = face.get(field)
    if not isinstance(value, list):
        raise RowError("columns", f"{where}: no list {field!r}")
    return value


def _rows(ids: Sequence[Any], places: Mapping[int, int], where: str) -> dict[int, int]:
    """Return the row of each id."""
    rows: dict[int, int] = {}
    for row, number in enumerate(ids):
        if isinstance(number, bool) or not isinstance(number, int) or number not in places:
            found = shown(repr(number)[:40])
            raise RowError("columns", f"{where}: the id {found} is none of SPIGA's {len(places)} landmarks")
        if number in rows:
            raise RowError("columns", f"{where}: the id {number} is there twice")
        rows[number] = row
    return rows


def _check_visible(values: Sequence[Any], where: str) -> None:
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value not in (0, 1):
            raise RowError("visibility", f"{where}: value {row} of 'visible' is {shown(repr(value)[:40])}, not 0 or 1")
