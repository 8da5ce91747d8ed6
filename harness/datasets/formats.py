"""The annotation formats: readers and detection from a file's content.

A new format is one reader in ``readers/``, one line in FORMATS and one rule in :func:`detect_format`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from nmebench.datasets.readers import faces_json, hrnet_csv, mmpose_json, official, spiga_json
from nmebench.datasets.readers.rows import Entry
from nmebench.errors import InputError
from nmebench.suggest import unknown

if TYPE_CHECKING:
    from nmebench.datasets.benchmark import Benchmark

__all__ = ["COFW_MAT", "FORMATS", "Reader", "check_format", "detect_format", "read_rows"]

COFW_MAT = "cofw-mat"
"""The format of COFW's MATLAB files (:mod:`nmebench.datasets.readers.cofw_mat`), the only one that is not text."""


_FACES = re.compile(r"\s*\{\s*\"faces\"")
"""The beginning of a json in nmebench's own format."""

_SPIGA = re.compile(r"\s*\[\s*\{")
"""The beginning of SPIGA's json; the names of its fields follow in any order."""

Reader = Callable[[str, str, int], Iterator[Entry]]
"""Reader of (text, name for messages, number of landmarks)."""

FORMATS: Mapping[str, Reader] = MappingProxyType(
    {
        "official-attr": partial(official.read, attributes=True),
        "hrnet-csv": hrnet_csv.read,
        "mmpose-json": mmpose_json.read,
        "official-list": partial(official.read, attributes=False),
        "faces-json": faces_json.read,
        "spiga-json": spiga_json.read,
    }
)


def check_format(format: str | None, benchmark: Benchmark) -> None:  # noqa: A002
    """Check the name of a format; None is allowed.

    Raises:
        InputError: the benchmark's files don't come in a format of that name.

    Example:
        >>> from nmebench.datasets import benchmark
        >>> check_format("hrnet_csv", benchmark.load("wflw"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: unknown format of WFLW 'hrnet_csv'; did you mean 'hrnet-csv'? (known: ...
    """
    known = [*benchmark.files["test"], *([benchmark.points_format] if benchmark.points_files else [])]
    if format is not None and format not in known:
        raise InputError(unknown(f"format of {benchmark.title}", format, known))


def read_rows(
    text: str,
    name: str,
    format: str,  # noqa: A002
    points: int,
    *,
    json_boxes: bool = False,
    unlabelled: bool = False,
    occlusion: bool = False,
) -> Iterator[Entry]:
    """Yield the rows of an annotation file, good and bad.

    Args:
        text: the file's text.
        name: the file, for messages.
        format: a key of FORMATS.
        points: the number of landmarks K.
        json_boxes: whether mmpose's json has the boxes of the protocol
            (:attr:`nmebench.datasets.benchmark.Benchmark.json_boxes`).
        unlabelled: whether landmarks may be marked as not labelled; their coordinates become NaN.
        occlusion: whether mmpose's json tells occluded (v = 1) from visible landmarks (v = 2), and SPIGA's json
            occluded (0) from visible ones (1).

    Example:
        >>> [row.image for row in read_rows("1 2 3 4 a.jpg", "list.txt", "official-list", points=2)]
        ['a.jpg']
    """
    if format == "mmpose-json":
        return mmpose_json.read(text, name, points, boxes=json_boxes, unlabelled=unlabelled, occlusion=occlusion)
    if format == "faces-json":
        return faces_json.read(text, name, points, unlabelled=unlabelled)
    if format == "spiga-json":
        return spiga_json.read(text, name, points, unlabelled=unlabelled, occlusion=occlusion)
    return FORMATS[format](text, name, points)


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
        if _FACES.match(text):
            return "faces-json"
        return "spiga-json" if _SPIGA.match(text) else "mmpose-json"
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
