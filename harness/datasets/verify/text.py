"""Checks of a text file for properties that this package accepts and other readers may not."""

from __future__ import annotations

import re
from pathlib import Path

from nmebench.bounded_read import read_bounded
from nmebench.datasets.readers.text import BYTE_ORDER_MARK, MAX_BYTES
from nmebench.datasets.verify.report import Collector

__all__ = ["check_text"]


def check_text(file: Path, name: str, format: str, into: Collector) -> None:  # noqa: A002
    """Check the line ends, byte order mark, blanks, tabs and comments of a file that can be read."""
    data = read_bounded(file, MAX_BYTES)
    if data.startswith(BYTE_ORDER_MARK):
        into.add("warning", "byte-order-mark", name, 1, "the file starts with a byte order mark: save without it")
    # RFC 4180 ends a csv's records with CRLF, and line ends don't matter in a json.
    if b"\r" in data and format.startswith("official"):
        line = data[: data.index(b"\r")].count(b"\n") + 1
        into.add(
            "warning",
            "line-ends",
            name,
            line,
            "carriage returns (Windows) become part of the image's name elsewhere: save with LF",
        )
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        into.add("warning", "encoding", name, line, "bytes that are not UTF-8: file names may not be found elsewhere")
    if format == "mmpose-json":
        return
    patterns = [
        ("comment", rb"^[ \t]*#", "a comment line: other readers take it for a face"),
        ("blank-line", rb"^[ \t\r]*\n(?=.)", "an empty line between faces"),
        ("trailing-blanks", rb"[ \t]+\r?$", "blanks at the line's end become part of the image's name elsewhere"),
    ]
    if format != "hrnet-csv":
        patterns.append(("tabs", rb"\t(?![ \t]*\r?$)", "tabs between the values: readers that split at one blank fail"))
    for code, pattern, message in patterns:
        if match := re.search(pattern, data, re.MULTILINE):
            into.add("warning", code, name, data[: match.start()].count(b"\n") + 1, message)
