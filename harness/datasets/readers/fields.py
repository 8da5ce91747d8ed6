"""Single values of an annotation file: numbers and image names, with errors that name file and line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from nmebench.datasets.readers.row_error import RowError
from nmebench.printable import shown

__all__ = ["MAX_COORDINATE", "image_name", "parse_numbers", "with_slashes"]

MAX_COORDINATE = 1e6
"""No photograph is wider: a larger value is a typing error (or an attack) rather than a coordinate in px."""

_DRIVE = re.compile(r"[A-Za-z]:")
_COMMA_DECIMAL = re.compile(r"[+-]?\d+,\d+")


def parse_numbers(
    tokens: Sequence[object], where: str, labels: Sequence[str], *, limit: float = MAX_COORDINATE
) -> list[float]:
    """Parse tokens as finite numbers.

    Python's ``float()`` alone would also accept ``1_000`` and non-ASCII digits, which other readers of these files
    refuse.

    Args:
        tokens: text or JSON values.
        where: ``file:line``, for messages.
        labels: what each token is, for messages; as many as tokens.
        limit: the largest absolute value, px.

    Raises:
        RowError: the first token that is not a finite number, or is beyond ``limit``.

    Example:
        >>> parse_numbers(["1.5", "-2e1"], "list.txt:3", ["x", "y"])
        [1.5, -20.0]
        >>> parse_numbers(["1.5", "2,5"], "list.txt:3", ["x", "y"])
        Traceback (most recent call last):
            ...
        nmebench.datasets.readers.row_error.RowError: list.txt:3: y is '2,5': write a decimal point, not a comma
    """
    try:
        values = [float(token) for token in tokens]  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        values = []
    if (
        len(values) == len(tokens)
        and all(math.isfinite(value) and abs(value) <= limit for value in values)
        and not any(isinstance(token, bool) for token in tokens)
        and (joined := "".join(token for token in tokens if isinstance(token, str))).isascii()
        and "_" not in joined
    ):
        return values
    for token, label in zip(tokens, labels, strict=True):
        _check_number(token, f"{where}: {label}", limit)
    raise AssertionError("a refused token has a reason")  # pragma: no cover


def image_name(name: object, where: str) -> str:
    """Return an image's path relative to the image folder, after checking that it stays inside that folder.

    Args:
        name: the value in the file.
        where: ``file:line``, for messages.

    Raises:
        RowError: the name is empty, not text, absolute, or contains ``..``.

    Example:
        >>> image_name("0--Parade/face 1.jpg", "list.txt:3")
        '0--Parade/face 1.jpg'
    """
    if not isinstance(name, str) or not name.strip():
        raise RowError("image-name", f"{where}: the image's name is missing")
    parts = re.split(r"[/\\]", name)
    if "\0" in name or parts[0] == "" or _DRIVE.match(name) or ".." in parts:
        raise RowError(
            "path", f"{where}: the image's path {shown(name.replace(chr(0), '?'))!r} leads out of the image folder"
        )
    return name


def with_slashes(name: str) -> str:
    """Return an image's name with slashes for backslashes: the form in which names of two files are compared.

    Example:
        >>> with_slashes(r"0--Parade\\face.jpg")
        '0--Parade/face.jpg'
    """
    return name.replace("\\", "/")


def _check_number(token: object, where: str, limit: float) -> None:
    """Raise a RowError when ``token`` is not a finite number within ``limit``."""
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
    if abs(value) > limit:
        raise RowError("out-of-range", f"{where} is {text[:40]}, beyond {limit:g} px")
