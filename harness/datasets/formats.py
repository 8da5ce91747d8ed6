"""The annotation formats of WFLW: file names, readers and detection from a file's content.

A new format is one reader in ``readers/``, one line in FORMATS and one rule in :func:`detect_format`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from nmebench.datasets.readers import hrnet_csv, mmpose_json, official
from nmebench.datasets.readers.rows import Entry
from nmebench.errors import InputError
from nmebench.suggest import unknown

__all__ = ["FORMATS", "AnnotationFormat", "check_format", "detect_format", "read_rows"]


class AnnotationFormat(NamedTuple):
    """One annotation format."""

    file_name: str
    """The usual name of its files, with ``{split}``."""
    read: Callable[[str, str, int], Iterator[Entry]]
    """Reader of (text, name for messages, number of landmarks)."""


FORMATS: Mapping[str, AnnotationFormat] = MappingProxyType(
    {
        "official-attr": AnnotationFormat("list_98pt_rect_attr_{split}.txt", partial(official.read, attributes=True)),
        "hrnet-csv": AnnotationFormat("face_landmarks_wflw_{split}.csv", hrnet_csv.read),
        "mmpose-json": AnnotationFormat("face_landmarks_wflw_{split}.json", mmpose_json.read),
        "official-list": AnnotationFormat("list_98pt_{split}.txt", partial(official.read, attributes=False)),
    }
)
"""In order of preference: of several files in a folder the first format is read."""


def check_format(format: str | None) -> None:  # noqa: A002
    """Check the name of a format; None is allowed.

    Raises:
        InputError: the name is not in FORMATS.

    Example:
        >>> check_format("hrnet_csv")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: unknown format 'hrnet_csv'; did you mean 'hrnet-csv'? (known: official-attr, ...
    """
    if format is not None and format not in FORMATS:
        raise InputError(unknown("format", format, FORMATS))


def read_rows(text: str, name: str, format: str, points: int) -> Iterator[Entry]:  # noqa: A002
    """Yield the rows of an annotation file, good and bad.

    Args:
        text: the file's text.
        name: the file, for messages.
        format: a key of FORMATS.
        points: the number of landmarks K.

    Example:
        >>> [row.image for row in read_rows("1 2 3 4 a.jpg", "list.txt", "official-list", points=2)]
        ['a.jpg']
    """
    return FORMATS[format].read(text, name, points)


def detect_format(text: str, name: str) -> str:
    """Return the format of an annotation file, from its first line with content.

    Args:
        text: the file's text, or its beginning.
        name: the file, for messages.

    Raises:
        InputError: it is none of FORMATS.

    Example:
        >>> detect_format("image_name,scale,center_w", "faces.csv")
        'hrnet-csv'
    """
    line = _first_line(text)
    if line.startswith(("{", "[")):
        return "mmpose-json"
    if line.startswith("image_name") or (
        line.count(",") > 1 and official.count_leading_numbers(line.replace(",", " ")) < 50
    ):
        return "hrnet-csv"
    count = official.count_leading_numbers(line)
    if count == 0:
        # The image's name may come before the numbers: the official reader's message explains that.
        count = official.count_leading_numbers(line.partition(" ")[2])
    if count >= 20:
        return "official-attr" if count > 200 else "official-list"
    raise InputError(f"{name} is no annotation file of a known format ({', '.join(FORMATS)})")


def _first_line(text: str) -> str:
    """Return the first line with content that is not a comment."""
    lines = (line.strip() for line in text[: 2**20].split("\n"))
    return next((line for line in lines if line and not line.startswith("#")), "")
