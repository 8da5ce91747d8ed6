"""LaPa's own files: ``SPLIT/landmarks/NAME.txt`` beside ``SPLIT/images/NAME.jpg``.

::

    106
    84 131
    84.5 144
    ...

The first line is the number of landmarks, each further line x and y of one landmark. The coordinates are returned as
they are in the file. The box is the landmarks' extent, as in the json of mmpose's converter (``lapa2coco.py``).
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

__all__ = ["LAPA_TXT", "read"]


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
        inside = file.relative_to(root)
        name = shown(inside.as_posix())
        try:
            coordinates = _points(read_bounded(file, MAX_BYTES).decode("utf-8", "surrogateescape"), name, points)
        except RowError as error:
            yield error.at(position)
            continue
        x, y = coordinates[::2], coordinates[1::2]
        image = inside.parent.parent / "images" / f"{inside.stem}.jpg"
        yield AnnotationRow(position, image.as_posix(), coordinates, rect=[min(x), min(y), max(x), max(y)])


def _points(text: str, name: str, points: int) -> list[float]:
    """Return the coordinates of one file."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    declared = " ".join(lines[0]) if lines else ""
    if declared != str(points) or len(lines) != 1 + points:
        raise RowError(
            "columns",
            f"{name}: the first line is {shown(declared)[:20]!r} and {max(len(lines) - 1, 0)} lines follow, expected "
            f"{points} and {points} lines of x and y",
        )
    wrong = next((number for number, line in enumerate(lines[1:]) if len(line) != 2), None)
    if wrong is not None:
        raise RowError("columns", f"{name}: landmark {wrong} has {len(lines[1 + wrong])} numbers, expected x and y")
    return parse_numbers([token for line in lines[1:] for token in line], name, coordinate_labels(points))


LAPA_TXT = FaceFiles(".txt", read)
"""The format."""
