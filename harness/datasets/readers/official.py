"""WFLW's official lists: one face per line, separated by blanks, the image's name last.

``official-attr``: ``list_98pt_rect_attr_{train,test}.txt``, 196 coordinates, 4 numbers of the rectangle, 6 attributes
and the name: 207 tokens (the README in the official archive). ``official-list``: ``list_98pt_{train,test}*.txt``, 196
coordinates and the name. Lines that start with ``#`` are comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nmebench.datasets.readers.fields import image_name, parse_numbers
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import AnnotationRow, Entry, coordinate_labels
from nmebench.printable import shown
from nmebench.protocol import ATTRIBUTES

__all__ = ["count_leading_numbers", "read"]

_RECT = ("x_min of the rectangle", "y_min of the rectangle", "x_max of the rectangle", "y_max of the rectangle")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)


def read(text: str, name: str, points: int, *, attributes: bool) -> Iterator[Entry]:
    """Yield the faces of a list, in its order.

    Args:
        text: the file's text.
        name: the file, for messages.
        points: the number of landmarks K.
        attributes: whether the lines carry the rectangle and the six attributes.

    Yields:
        A row per face, or the error in it.
    """
    for line, raw in enumerate(text.split("\n"), start=1):
        stripped = raw.strip()
        if stripped and not stripped.startswith("#"):
            try:
                yield _row(stripped, line, f"{name}:{line}", points, attributes=attributes)
            except RowError as error:
                yield error.at(line)


def count_leading_numbers(line: str) -> int:
    """Count the tokens at the start of a line that are numbers.

    Example:
        >>> count_leading_numbers("1 2.5 nan a.jpg 4")
        3
    """
    count = 0
    for token in line.split():
        if not _NUMBER.fullmatch(token):
            break
        count += 1
    return count


def _row(line: str, position: int, where: str, points: int, *, attributes: bool) -> AnnotationRow:
    """Return the face of one line. The name is everything after the numbers, because it may contain blanks."""
    values = 2 * points + (10 if attributes else 0)
    tokens = line.split(None, values)
    flags = tokens[2 * points + 4 : values]
    # A flag that is no number: a number is missing and the name contains a blank.
    if len(tokens) <= values or not all(_NUMBER.fullmatch(flag) for flag in flags):
        raise _wrong_count(line, where, values, points, attributes=attributes)
    first, _, rest = tokens[values].partition(" ")
    if _NUMBER.fullmatch(first) and not (rest and _starts_name(first, flags, tokens[: 2 * points])):
        raise _wrong_count(line, where, values, points, attributes=attributes)
    coordinates = parse_numbers(tokens[: 2 * points], where, coordinate_labels(points))
    image = image_name(tokens[values], where)
    if not attributes:
        return AnnotationRow(position, image, coordinates)
    rect = parse_numbers(tokens[2 * points : 2 * points + 4], where, _RECT)
    for subset, flag in zip(ATTRIBUTES, flags, strict=True):
        if flag not in ("0", "1"):
            raise RowError("attribute", f"{where}: the attribute {subset} is {flag[:40]!r}, not 0 or 1")
    return AnnotationRow(position, image, coordinates, rect=rect, attributes=tuple(flag == "1" for flag in flags))


def _starts_name(token: str, flags: list[str], coordinates: list[str]) -> bool:
    """Return whether a number after the expected numbers belongs to the image's name, as in ``1 (2).jpg``.

    With attributes it does when the six before it are flags: a number too many in front would move the rectangle there.
    Without attributes it does when no coordinate of the line is written with as many decimals.
    """
    if flags:
        return all(flag in ("0", "1") for flag in flags)
    return _decimals(token) not in {_decimals(coordinate) for coordinate in coordinates}


def _decimals(number: str) -> int:
    return len(number.partition(".")[2])


def _wrong_count(line: str, where: str, values: int, points: int, *, attributes: bool) -> RowError:
    """Return the error for a line with a wrong number of tokens."""
    tokens = line.split()
    hint = ""
    if not _NUMBER.fullmatch(tokens[0]):
        hint = f"; it starts with {shown(tokens[0])[:40]!r}: the image's name comes last"
    elif not attributes and len(tokens) > values + 1 and _NUMBER.fullmatch(tokens[values]):
        hint = f"; the image's name can't start with {tokens[values][:40]!r} here, which looks like a coordinate"
    kind = f"{2 * points} coordinates, 4 of the rectangle, 6 attributes" if attributes else f"{values} coordinates"
    return RowError("columns", f"{where}: {len(tokens)} tokens, expected {values + 1} ({kind}, the image's name){hint}")
