"""mmpose's json in COCO's layout: ``images`` with names, ``annotations`` with keypoints, ``center`` and ``scale``.

Source: tests/data/{wflw,300w,aflw,cofw,lapa} and mmpose/datasets/datasets/face of open-mmlab/mmpose. Where an
annotation has ``center`` and ``scale``, mmpose crops by them and ``bbox`` is unused; it is the tight box times 1.2,
clipped. COFW and LaPa have ``bbox`` alone: x, y, width, height in image px.

``keypoints`` has x, y and a visibility v per landmark. In COCO, v = 0 means that the landmark is not labelled and its
coordinates are 0, 0. Such a landmark is refused, or left out where the benchmark allows it. v = 1 (occluded) counts
like v = 2 (visible). 300-W, AFLW and WFLW have v = 1 for every landmark, so the benchmark's definition says whether
v = 1 means occluded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nmebench.bounded_read import parse_json
from nmebench.datasets.readers.fields import image_name, parse_numbers
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import AnnotationRow, Entry, coordinate_labels
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["read"]


def read(
    text: str,
    name: str,
    points: int,
    *,
    boxes: bool = False,
    unlabelled: bool = False,
    occlusion: bool = False,
) -> Iterator[Entry]:
    """Yield the faces of a json, in the order of its annotations.

    Args:
        text: the file's text.
        name: the file, for messages.
        points: the number of landmarks K.
        boxes: whether to read ``bbox``, which every annotation then needs.
        unlabelled: whether landmarks with v = 0 are allowed; their coordinates become NaN.
        occlusion: whether v = 1 means occluded and v = 2 visible.

    Yields:
        A row per face, or the error in it.

    Raises:
        InputError: the text is not a json object with ``images`` and ``annotations``, or an image has no usable id.
    """
    table = parse_json(text, name, allow_nan=True)  # a coordinate that is NaN is reported with its place
    lists = [table.get(key) if isinstance(table, dict) else None for key in ("images", "annotations")]
    if not all(isinstance(item, list) for item in lists):
        raise InputError(f"{name} is not mmpose's json: it needs the lists 'images' and 'annotations'")
    images = _image_names(lists[0] or [], name)
    for position, annotation in enumerate(lists[1] or [], start=1):
        try:
            where = f"{name}: annotation {position}"
            row = _row(annotation, position, images, where, points, boxes=boxes, unlabelled=unlabelled)
            yield replace(row, occluded=tuple(v == 1 for v in annotation["keypoints"][2::3])) if occlusion else row
        except RowError as error:
            yield error.at(position)


def _image_names(entries: list[Any], name: str) -> dict[int, str]:
    """Return image names by id."""
    images: dict[int, str] = {}
    for position, entry in enumerate(entries, start=1):
        where = f"{name}: image {position}"
        number = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(number, int):
            raise InputError(f"{where} has no whole number as 'id'")
        if number in images:
            raise InputError(f"{where}: the id {number} is used twice")
        images[number] = image_name(entry.get("file_name"), where)
    return images


def _row(
    annotation: Any,
    position: int,
    images: dict[int, str],
    where: str,
    points: int,
    *,
    boxes: bool,
    unlabelled: bool,
) -> AnnotationRow:
    """Return one face."""
    if not isinstance(annotation, dict):
        raise RowError("columns", f"{where} is not an object")
    number = annotation.get("image_id")
    if not isinstance(number, int) or number not in images:
        raise RowError("columns", f"{where}: its image_id {str(number)[:40]} is not among the images")
    keypoints = annotation.get("keypoints")
    if not isinstance(keypoints, list) or len(keypoints) != 3 * points:
        found = len(keypoints) if isinstance(keypoints, list) else "no"
        raise RowError("columns", f"{where}: {found} numbers in 'keypoints', expected {3 * points} (x, y, v)")
    coordinates = parse_numbers(
        [value for index, value in enumerate(keypoints) if index % 3 < 2], where, coordinate_labels(points)
    )
    for landmark in _unlabelled(keypoints[2::3], where, allowed=unlabelled):
        coordinates[2 * landmark : 2 * landmark + 2] = [math.nan, math.nan]
    box = None
    if "center" in annotation and "scale" in annotation:
        centre = annotation["center"]
        if not isinstance(centre, list) or len(centre) != 2:
            raise RowError("columns", f"{where}: 'center' is not a list of two numbers")
        box = parse_numbers([*centre, annotation["scale"]], where, ("center x", "center y", "scale"))
    rect = None
    if boxes:
        given = annotation.get("bbox")
        if not isinstance(given, list) or len(given) != 4:
            raise RowError("columns", f"{where}: 'bbox' is not a list of four numbers")
        x, y, width, height = parse_numbers(given, where, ("bbox x", "bbox y", "bbox width", "bbox height"))
        rect = [x, y, x + width, y + height]
    return AnnotationRow(position, images[number], coordinates, rect=rect, centre_scale=box)


def _unlabelled(values: list[Any], where: str, *, allowed: bool) -> list[int]:
    """Return the landmarks with v = 0.

    Raises:
        RowError: there are such landmarks and they are not allowed, or a visibility is not one of COCO's values.
    """
    for landmark, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value not in (0, 1, 2):
            found = shown(repr(value)[:40])
            raise RowError("visibility", f"{where}: landmark {landmark} has the visibility v = {found}, not 0, 1 or 2")
    missing = [landmark for landmark, value in enumerate(values) if value == 0]
    if missing and not allowed:
        raise RowError(
            "visibility",
            f"{where}: landmark {missing[0]} has v = 0, which means not annotated ({len(missing)} of {len(values)} "
            "landmarks): the NME counts all of them; annotate them or remove the annotation",
        )
    return missing
