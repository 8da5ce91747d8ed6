"""HRNet's csv: ``image_name, scale, center_w, center_h, original_0_x, original_0_y, ...``.

Source: lib/datasets/wflw.py of HRNet/HRNet-Facial-Landmark-Detection, which reads the columns by position. This reader
finds them by the header, so the order of the columns doesn't matter; without a header it expects the order above.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator

from nmebench.datasets.readers.fields import image_name, parse_numbers
from nmebench.datasets.readers.official import count_leading_numbers
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import AnnotationRow, Entry, coordinate_labels
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["read"]

_BOX = ("scale", "center_w", "center_h")
_LANDMARK = re.compile(r"original_\d+_[xy]")


def read(text: str, name: str, points: int) -> Iterator[Entry]:
    """Yield the faces of a csv, in its order.

    Args:
        text: the file's text.
        name: the file, for messages.
        points: the number of landmarks K.

    Yields:
        A row per face, or the error in it.

    Raises:
        InputError: the header lacks a column or has one twice, or the text is not a csv.
    """
    records = _records(text, name)
    first = next(records, None)
    if first is None:
        raise InputError(f"{name} holds no faces")
    usual = ["image_name", *_BOX, *(f"original_{index}_{axis}" for index in range(points) for axis in "xy")]
    if _is_header(first[1]):
        header = [cell.strip() for cell in first[1]]
    else:
        header = usual
        yield _row(first, header, usual, name, points)
    counts = Counter(header)
    missing = [column for column in usual if column not in counts and column not in _BOX]
    if missing:
        semicolon = "; separate the cells by commas" if len(header) == 1 and ";" in header[0] else ""
        raise InputError(
            f"{name}:{first[0]}: {len(missing)} columns are missing, the first is {missing[0]!r}{semicolon}"
        )
    further = sum(_LANDMARK.fullmatch(column) is not None and column not in usual for column in counts)
    if further:
        found = points + further // 2
        raise InputError(
            f"{name}:{first[0]}: the header has {found} landmarks, expected {points}: it belongs to another data set"
        )
    repeated = next((column for column, count in counts.items() if count > 1), None)
    if repeated is not None:
        raise InputError(f"{name}:{first[0]}: the header has the column {shown(repeated)[:40]!r} twice")
    for record in records:
        yield _row(record, header, usual, name, points)


def _is_header(cells: list[str]) -> bool:
    """Return whether a record names columns: after the image's name no cell is a number."""
    return not any(count_leading_numbers(cell) for cell in cells[1:])


def _records(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (first line, cells) of every record that is neither blank nor a comment."""
    reader = csv.reader(_lines(text))
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{name}:{start}: not a csv: {error}") from error


def _lines(text: str) -> Iterator[str]:
    """Yield lines with their ends, split at newlines only (``str.splitlines`` splits at further characters)."""
    for line in text.split("\n"):
        yield line + "\n"


def _row(record: tuple[int, list[str]], header: list[str], usual: list[str], name: str, points: int) -> Entry:
    """Return one face, or the error in its record."""
    line, cells = record
    where = f"{name}:{line}"
    if len(cells) != len(header):
        return RowError("columns", f"{where}: {len(cells)} cells, expected {len(header)} ({len(usual)} are usual)").at(
            line
        )
    cell = dict(zip(header, (value.strip() for value in cells), strict=True))
    try:
        box = None
        if all(column in cell for column in _BOX):
            scale, x, y = parse_numbers([cell[column] for column in _BOX], where, _BOX)
            box = [x, y, scale]
        coordinates = [cell[column] for column in usual[1 + len(_BOX) :]]
        return AnnotationRow(
            line=line,
            image=image_name(cells[header.index("image_name")], where),
            points=parse_numbers(coordinates, where, coordinate_labels(points)),
            centre_scale=box,
        )
    except RowError as error:
        return error.at(line)
