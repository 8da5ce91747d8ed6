"""Predictions in SPIGA's results file, a json with the fields of its annotation files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmebench.bounded_read import parse_json, read_bounded
from nmebench.datasets.readers import spiga_json
from nmebench.datasets.readers.arrays import MAX_BYTES
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.text import BYTE_ORDER_MARK
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["SpigaPredictions", "read"]


class SpigaPredictions(NamedTuple):
    """The faces of a results file, in its order."""

    landmarks: NDArray[np.float64]
    """``[N, K, 2]`` image px, as the file counts them."""
    images: tuple[str, ...]
    """``[N]`` ``imgpath``."""
    rectangles: NDArray[np.float64]
    """``[N, 4]`` x_min, y_min, x_max, y_max of ``bbox``, the box of the ground truth, image px."""


def read(file: Path) -> SpigaPredictions:
    """Read a results file (``results_300wprivate_test.json``) of SPIGA's ``eval/results_gen.py``.

    Landmarks are found by their id. ``bbox`` is copied from the annotations, so it tells the faces of a photograph
    apart. ``headpose`` and ``visible`` are not used.

    Source: ``spiga/eval/benchmark/readme.md`` of andresprados/SPIGA.

    Args:
        file: the json.

    Raises:
        InputError: the file can't be read, is no such json, or a face is damaged; the message names the face.
    """
    name = shown(file)
    try:
        text = read_bounded(file, MAX_BYTES).removeprefix(BYTE_ORDER_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no UTF-8 text: predictions in a json must be SPIGA's results file") from error
    faces = parse_json(text, name, allow_nan=True)
    if not isinstance(faces, list) or not faces or not isinstance(faces[0], dict) or "ids" not in faces[0]:
        raise InputError(
            f"{name} is not SPIGA's results file: it needs a list of objects with imgpath, bbox, ids, landmarks and "
            "visible (docs/compare.md names the other forms of predictions)"
        )
    ids = faces[0]["ids"]
    points = len(ids) if isinstance(ids, list) else 0
    images: list[str] = []
    landmarks: list[list[float]] = []
    rectangles: list[list[float]] = []
    for row in spiga_json.read(text, name, points):
        if isinstance(row, RowError):
            raise InputError(str(row)) from row
        images.append(row.image)
        landmarks.append(row.points)
        rectangles.append(row.rect or [])
    return SpigaPredictions(
        np.asarray(landmarks, np.float64).reshape(len(images), points, 2),
        tuple(images),
        np.asarray(rectangles, np.float64),
    )
