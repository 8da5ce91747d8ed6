"""COFW-68: one MATLAB file per face, ``test_annotations/NUMBER_points.mat``, for COFW's 507 test faces.

Each file has ``Points`` ``[68, 2]``, whose first pixel is (1, 1), and ``Occ`` ``[1, 68]`` (1 for an occluded landmark).
NUMBER counts COFW's test pictures from 1 without leading zeros, so files are sorted by the number: by name, 10 would
come before 2. Picture 1 is ``001346.png``, in mmpose's numbering of COFW. The boxes ``[507, 4]`` (x, y, width, height)
are in ``cofw68_test_bboxes.mat``. The coordinates are returned as they are in the files.

Source: golnazghiasi/cofw68-benchmark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.readers.cofw_numbers import FIRST_TEST_PICTURE, picture_name
from nmebench.datasets.readers.face_files import FaceFiles
from nmebench.datasets.readers.fields import parse_numbers
from nmebench.datasets.readers.mat_numbers import read_mat_numbers
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import AnnotationRow, Entry, coordinate_labels
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["BOXES", "COFW68_MAT", "read"]

BOXES = "cofw68_test_bboxes.mat"
"""The file of all faces' boxes, beside the folder of the faces."""

_NAME = re.compile(r"([1-9]\d{0,5})_points\.mat", re.ASCII)
_BOX = ("box x", "box y", "box width", "box height")


def read(files: Sequence[Path], root: Path, points: int) -> Iterator[Entry]:
    """Yield the face of each file, or the error in it.

    Args:
        files: from :meth:`~nmebench.datasets.readers.face_files.FaceFiles.find`.
        root: the dataset's folder.
        points: the number of landmarks K.

    Raises:
        InputError: a file can't be read, or the file of the boxes is damaged.
    """
    beside = COFW68_MAT.also_there(files)
    boxes = _boxes(beside[0]) if beside else None
    for position, file in enumerate(files, start=1):
        name = shown(file.relative_to(root).as_posix())
        try:
            yield _row(file, name, position, points, boxes)
        except RowError as error:
            yield error.at(position)


def _row(file: Path, name: str, position: int, points: int, boxes: NDArray[np.float64] | None) -> AnnotationRow:
    match = _NAME.fullmatch(file.name)
    if match is None:
        raise RowError("image-name", f"{name}: the name has no number: expected NUMBER_points.mat, as in 1_points.mat")
    number = int(match[1])
    found = read_mat_numbers(file, ("Points", "Occ"))
    coordinates, occluded = found["Points"], found["Occ"]
    if coordinates.shape != (points, 2):
        raise RowError("columns", f"{name}: Points is {list(coordinates.shape)}, expected {[points, 2]}")
    if occluded.size != points or not np.isin(occluded, (0, 1)).all():
        raise RowError(
            "visibility", f"{name}: Occ is {list(occluded.shape)}, expected {[1, points]} values that are 0 or 1"
        )
    rect = None
    if boxes is not None:
        if number > len(boxes):
            raise RowError("columns", f"{name}: {BOXES} has {len(boxes)} boxes: there is none for number {number}")
        x, y, width, height = parse_numbers(boxes[number - 1].tolist(), f"{BOXES}: row {number}", _BOX)
        rect = [x, y, x + width, y + height]
    return AnnotationRow(
        position,
        picture_name(FIRST_TEST_PICTURE + number - 1),
        parse_numbers(coordinates.reshape(-1).tolist(), name, coordinate_labels(points)),
        rect=rect,
        occluded=tuple(bool(flag) for flag in occluded.reshape(-1)),
    )


def _boxes(file: Path) -> NDArray[np.float64]:
    boxes = read_mat_numbers(file, ("bboxes",))["bboxes"]
    if boxes.ndim != 2 or boxes.shape[1] != len(_BOX):
        raise InputError(f"{shown(file)}: bboxes is {list(boxes.shape)}, expected x, y, width, height of each face")
    return boxes


def _number(file: Path) -> tuple[int, str]:
    match = _NAME.fullmatch(file.name)
    return (int(match[1]) if match else 0, file.as_posix())


COFW68_MAT = FaceFiles("_points.mat", read, key=_number, also=(BOXES,))
"""The format."""
