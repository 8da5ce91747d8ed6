"""Annotation files as text."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.printable import shown

__all__ = ["BYTE_ORDER_MARK", "MAX_BYTES", "read_text"]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

MAX_BYTES = 2**30
"""The largest annotation file that is read; WFLW's largest has 17 MB."""


def read_text(path: Path, root: Path) -> tuple[str, FileHash]:
    """Read a text file and hash it.

    The text is UTF-8 with or without a byte order mark. Bytes that are not UTF-8 become lone surrogates, because a
    file name may hold any bytes. Line ends may be LF, CRLF or CR; the result has LF.

    Args:
        path: the file.
        root: the dataset's root; the hash names the file relative to it.

    Raises:
        InputError: the file can't be read, is empty, has more than MAX_BYTES, or is not text.
    """
    name = shown(path)
    data = read_bounded(path, MAX_BYTES)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{name} is UTF-16 text: save it as UTF-8")
    if b"\0" in data:
        raise InputError(f"{name} is not a text file (it holds a zero byte)")
    text = data.removeprefix(BYTE_ORDER_MARK).decode("utf-8", "surrogateescape")
    if not text.strip():
        raise InputError(f"{name} is empty")
    inside = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    digest = FileHash(name=inside, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    return text.replace("\r\n", "\n").replace("\r", "\n"), digest
