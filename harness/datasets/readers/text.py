"""Annotation files as text, and the values in them, with errors that name file and line."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from pathlib import Path

from nmebench.datasets.readers.row_error import RowError
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.printable import shown

__all__ = ["MAX_BYTES", "MAX_COORDINATE", "image_name", "numbers", "read_text"]

MAX_BYTES = 2**30
"""The largest annotation file that is read; WFLW's largest has 17 MB."""
MAX_COORDINATE = 1e6
"""No photograph is wider: a larger value is a slip (or an attack) rather than a coordinate in px."""

_DRIVE = re.compile(r"[A-Za-z]:")
_COMMA_DECIMAL = re.compile(r"[+-]?\d+,\d+")


def read_text(path: Path, root: Path) -> tuple[str, FileHash]:
    """A file's text and its hash.

    UTF-8 with or without a byte order mark; bytes that are not UTF-8 are kept as lone surrogates (a file name may
    hold any bytes). Line ends may be LF, CRLF or CR.

    :param root: the dataset's root, which the hash's name is relative to.
    :raises InputError: when the file can't be read, is empty, over MAX_BYTES, or is not text.
    """
    name = shown(path)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except FileNotFoundError as error:
        raise InputError(f"{name} is missing") from error
    except OSError as error:
        raise InputError(f"{name} can't be read: {error.strerror}") from error
    if size > MAX_BYTES:
        raise InputError(f"{name} has {size:,} bytes: up to {MAX_BYTES:,} are read")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{name} is UTF-16 text: save it as UTF-8")
    if b"\0" in data:
        raise InputError(f"{name} is not a text file (it holds a zero byte)")
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    if not text.strip():
        raise InputError(f"{name} is empty")
    inside = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    digest = FileHash(name=inside, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    return text.replace("\r\n", "\n").replace("\r", "\n"), digest


def numbers(tokens: Sequence[object], where: str, labels: Sequence[str]) -> list[float]:
    """The tokens as finite numbers of a sensible size.

    :param where: ``file:line`` for the message.
    :param labels: what each token is, for the message.
    :raises InputError: for the first token that is not such a number.
    """
    try:
        values = [float(token) for token in tokens]  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        values = []
    # Python's float() also takes 1_000 and non-ASCII digits, which no other reader of these files does.
    if (
        len(values) == len(tokens)
        and all(-MAX_COORDINATE <= value <= MAX_COORDINATE for value in values)
        and not any(isinstance(token, bool) for token in tokens)
        and (joined := "".join(token for token in tokens if isinstance(token, str))).isascii()
        and "_" not in joined
    ):
        return values
    for token, label in zip(tokens, labels, strict=True):
        _explain(token, f"{where}: {label}")
    raise AssertionError("a refused token has a reason")  # pragma: no cover


def image_name(name: object, where: str) -> str:
    """An image's path relative to the image folder.

    :raises InputError: for an empty one, one that is not text, or one that leads out of the folder.
    """
    if not isinstance(name, str) or not name.strip():
        raise RowError("image-name", f"{where}: the image's name is missing")
    parts = re.split(r"[/\\]", name)
    if "\0" in name or parts[0] == "" or _DRIVE.match(name) or ".." in parts:
        raise RowError(
            "path", f"{where}: the image's path {shown(name.replace(chr(0), '?'))!r} leads out of the image folder"
        )
    return name


def _explain(token: object, where: str) -> None:
    """InputError when ``token`` is not a finite number in range."""
    text = shown(token) if isinstance(token, str) else repr(token)[:40]
    if isinstance(token, str):
        if _COMMA_DECIMAL.fullmatch(token):
            raise RowError("decimal-comma", f"{where} is {text!r}: write a decimal point, not a comma")
        if "_" in token or not token.isascii():
            raise RowError("number", f"{where} is {text[:40]!r}, not a number")
    elif isinstance(token, bool) or not isinstance(token, (int, float)):
        raise RowError("number", f"{where} is {text}, not a number")
    try:
        value = float(token)
    except ValueError as error:
        raise RowError("number", f"{where} is {text[:40]!r}, not a number") from error
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise RowError("not-finite", f"{where} is {text[:40]}, not a finite number")
    if abs(value) > MAX_COORDINATE:
        raise RowError("out-of-range", f"{where} is {text[:40]}, beyond {MAX_COORDINATE:g} px")
