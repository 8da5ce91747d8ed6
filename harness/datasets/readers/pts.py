"""300-W's ``.pts`` files: one text file per face, beside its photograph.

::

    version: 1
    n_points:  68
    {
    446.000 91.000
    ...
    }

The coordinates are returned as they are in the file, as in HRNet's csv and mmpose's json. Photographs are found by the
file's name without its ending, never by their position in a listing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nmebench.bounded_read import read_bounded
from nmebench.datasets.readers.face_files import MAX_BYTES, FaceFiles
from nmebench.datasets.readers.fields import parse_numbers
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import AnnotationRow, Entry, coordinate_labels
from nmebench.printable import shown

__all__ = ["PTS", "read"]

IMAGE_ENDINGS = (".jpg", ".png", ".jpeg", ".bmp", ".JPG", ".PNG")
"""Endings of photographs, in the order of preference."""

_MIRRORED = "_mirror"
"""End of the names of the mirrored copies in older releases of 300-W."""


def read(files: Sequence[Path], root: Path, points: int) -> Iterator[Entry]:
    """Yield the face of each file, or the error in it.

    Args:
        files: from :meth:`~nmebench.datasets.readers.face_files.FaceFiles.find`.
        root: the dataset's folder; the photographs are named relative to it.
        points: the number of landmarks K.

    Raises:
        InputError: a file can't be read.
    """
    for position, file in enumerate(files, start=1):
        name = shown(file.relative_to(root).as_posix())
        try:
            text = read_bounded(file, MAX_BYTES).decode("utf-8", "surrogateescape")
            image = _photograph(file, name).relative_to(root).as_posix()
            yield AnnotationRow(position, image, _points(text, name, points))
        except RowError as error:
            yield error.at(position)


def _photograph(file: Path, name: str) -> Path:
    """Return the photograph beside a .pts file; a blank before the last underscore is accepted (``image_092 _01``)."""
    stems = [file.stem, file.stem.replace("_", " _", 2).replace(" _", "_", 1)]
    for stem in dict.fromkeys(stems):
        for ending in IMAGE_ENDINGS:
            candidate = file.with_name(stem + ending)
            if candidate.is_file():
                return candidate
    endings = ", ".join(IMAGE_ENDINGS[:4])
    raise RowError("image-name", f"{name}: there is no photograph {shown(file.stem)} beside it ({endings})")


def _points(text: str, name: str, points: int) -> list[float]:
    """Return the coordinates between the braces."""
    head, opened, rest = text.partition("{")
    body, closed, _ = rest.partition("}")
    if not opened or not closed:
        raise RowError("columns", f"{name} is no .pts file: it needs the coordinates between {{ and }}")
    declared = next((line.partition(":")[2].strip() for line in head.splitlines() if line.startswith("n_points")), "")
    lines = [line.split() for line in body.splitlines() if line.strip()]
    if declared != str(points) or len(lines) != points:
        raise RowError(
            "columns", f"{name}: n_points is {shown(declared)[:20]!r} and it has {len(lines)} points, expected {points}"
        )
    wrong = next((number for number, line in enumerate(lines) if len(line) != 2), None)
    if wrong is not None:
        raise RowError("columns", f"{name}: landmark {wrong} has {len(lines[wrong])} numbers, expected x and y")
    return parse_numbers([token for line in lines for token in line], name, coordinate_labels(points))


PTS = FaceFiles(".pts", read, skip=lambda file: file.stem.endswith(_MIRRORED))
"""The format; mirrored copies are left out."""
