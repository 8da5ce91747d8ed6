"""Bounded reads of files that the user names: kind, size, encoding and nesting are checked, and errors are one line."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any, BinaryIO, Final

from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = [
    "MAX_CONFIGURATION",
    "MAX_NESTING",
    "check_regular",
    "open_bounded",
    "parse_json",
    "parse_toml",
    "read_bounded",
    "read_json",
    "read_toml",
]

MAX_CONFIGURATION: Final = 64 * 2**20
"""Bytes of the largest JSON or TOML file that :func:`read_json` and :func:`read_toml` read by default."""

MAX_NESTING: Final = 100
"""Levels of lists and tables that a JSON or TOML file may have; code that walks the values may recurse per level."""

_CHUNK: Final = 2**20
#: A named pipe that took the file's place after the first check is opened without waiting for a writer.
_OPEN_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def read_bounded(path: Path, limit: int, *, kind: str = "") -> bytes:
    """Return the bytes of a regular file, or fail with one line that names it.

    The file's type and size are checked before it is opened, because opening a named pipe would wait for a writer and a
    larger file could exhaust the memory. The open file is checked again, and never read beyond ``limit``: another
    process may replace or extend it in between.

    Args:
        path: the file.
        limit: the largest size in bytes that is read.
        kind: a word before the file's name in messages, such as ``image``.

    Raises:
        InputError: the file is missing, a folder, not a regular file, larger than ``limit`` or unreadable.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "list.txt"
        ...     _ = file.write_text("1 2 3")
        ...     read_bounded(file, 100)
        b'1 2 3'
    """
    name = f"{kind} {shown(path)}".lstrip()
    try:
        _check_status(path.stat(), name, limit)
        with os.fdopen(os.open(path, _OPEN_FLAGS), "rb") as stream:
            _check_status(os.fstat(stream.fileno()), name, limit)
            chunks: list[bytes] = []
            size = 0
            while chunk := stream.read(_CHUNK):
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise InputError(f"{name} has more than {limit:,} bytes: up to {limit:,} are read")
            return b"".join(chunks)
    except FileNotFoundError as error:
        raise InputError(f"{name} is missing") from error
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{name} can't be read: {getattr(error, 'strerror', None) or error}") from error
    except MemoryError as error:
        raise InputError(f"{name} can't be read: not enough memory") from error


def open_bounded(path: Path, limit: int, *, kind: str = "") -> BinaryIO:
    """Open a regular file of at most ``limit`` bytes for a reader that reads parts of it.

    The file's type and size are checked before and after it is opened, as in :func:`read_bounded`.

    Args:
        path: the file.
        limit: the largest size in bytes.
        kind: a word before the file's name in messages, such as ``image``.

    Raises:
        InputError: the file is missing, a folder, not a regular file, larger than ``limit`` or can't be opened.

    Example:
        >>> open_bounded(Path("/dev/zero"), 100)
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: /dev/zero is not a regular file
    """
    name = f"{kind} {shown(path)}".lstrip()
    try:
        _check_status(path.stat(), name, limit)
        stream = os.fdopen(os.open(path, _OPEN_FLAGS), "rb")
    except FileNotFoundError as error:
        raise InputError(f"{name} is missing") from error
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{name} can't be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        _check_status(os.fstat(stream.fileno()), name, limit)
    except BaseException:
        stream.close()
        raise
    return stream


def check_regular(path: Path, limit: int, *, kind: str = "") -> int:
    """Return the size of a regular file, or fail with one line that names it. The file is not opened.

    Use it before a reader of another package opens the file by its path: a named pipe would wait for a writer, and
    a device such as ``/dev/zero`` never ends.

    Args:
        path: the file.
        limit: the largest size in bytes.
        kind: a word before the file's name in messages, such as ``archive``.

    Raises:
        InputError: the file is missing, a folder, not a regular file or larger than ``limit``.

    Example:
        >>> check_regular(Path("/dev/zero"), 100)
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: /dev/zero is not a regular file
    """
    name = f"{kind} {shown(path)}".lstrip()
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise InputError(f"{name} is missing") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{name} can't be read: {getattr(error, 'strerror', None) or error}") from error
    _check_status(status, name, limit)
    return status.st_size


def read_json(
    path: Path,
    *,
    limit: int = MAX_CONFIGURATION,
    kind: str = "",
    allow_nan: bool = False,
    errors: str = "strict",
) -> Any:
    """Return the content of a JSON file.

    Args:
        path: the file; UTF-8 with or without a byte order mark.
        limit: the largest size in bytes that is read.
        kind: a word before the file's name in messages, such as ``baseline``.
        allow_nan: accept ``NaN``, ``Infinity`` and ``-Infinity``, which JSON does not have but Python writes.
        errors: treatment of bytes that are not UTF-8, as in :meth:`bytes.decode`.

    Raises:
        InputError: as for :func:`read_bounded` and :func:`parse_json`.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "baseline.json"
        ...     _ = file.write_bytes(b'\\xef\\xbb\\xbf{"nme": 3.98}')
        ...     read_json(file)
        {'nme': 3.98}
    """
    name = f"{kind} {shown(path)}".lstrip()
    return parse_json(_decode(read_bounded(path, limit, kind=kind), name, errors), name, allow_nan=allow_nan)


def read_toml(path: Path, *, limit: int = MAX_CONFIGURATION, kind: str = "") -> dict[str, Any]:
    """Return the content of a TOML file.

    Args:
        path: the file; UTF-8 with or without a byte order mark.
        limit: the largest size in bytes that is read.
        kind: a word before the file's name in messages, such as ``sweep file``.

    Raises:
        InputError: as for :func:`read_bounded` and :func:`parse_toml`.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "sweep.toml"
        ...     _ = file.write_text('data = "synthface"')
        ...     read_toml(file)
        {'data': 'synthface'}
    """
    name = f"{kind} {shown(path)}".lstrip()
    return parse_toml(_decode(read_bounded(path, limit, kind=kind), name, "strict"), name)


def parse_json(text: str, name: str, *, allow_nan: bool = False) -> Any:
    """Return the value of a JSON text.

    Args:
        text: the text.
        name: the file, for messages.
        allow_nan: accept ``NaN``, ``Infinity`` and ``-Infinity``.

    Raises:
        InputError: the text is not JSON, is nested deeper than :data:`MAX_NESTING`, has an integer of thousands of
            digits, has a key twice in one object, or has a NaN where none is allowed; one line with the line and column
            where the parser knows them.

    Example:
        >>> parse_json('{"nme": }', "run.json")
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: run.json:1: not a json: Expecting value (column 9)
        >>> parse_json('{"nme": 4.0, "nme": 3.9}', "run.json")
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: run.json: the key 'nme' is there twice in one object; remove one
        >>> parse_json("[" * 100_000, "run.json")
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: run.json: not a json that can be read: it is nested deeper than 100 levels
    """

    def refuse(constant: str) -> Any:
        raise InputError(f"{name}: not a json: it holds {constant}; JSON numbers are finite")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(f"{name}: the key {shown(twice)[:80]!r} is there twice in one object; remove one")
        return table

    try:
        value = json.loads(text, parse_constant=None if allow_nan else refuse, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise InputError(f"{name}:{error.lineno}: not a json: {error.msg} (column {error.colno})") from error
    except InputError:
        raise
    except RecursionError as error:
        raise _too_deep(name, "json") from error
    except (ValueError, MemoryError) as error:  # ValueError: an integer of more than 4300 digits
        raise InputError(f"{name}: not a json that can be read: {_reason(error)}") from error
    _check_nesting(value, name, "json")
    return value


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Return the table of a TOML text.

    Args:
        text: the text.
        name: the file, for messages.

    Raises:
        InputError: the text is not TOML, is nested deeper than :data:`MAX_NESTING`, or has an integer of thousands of
            digits; one line.

    Example:
        >>> parse_toml("a = ", "sweep.toml")
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: sweep.toml: not a toml: Invalid value (at end of document)
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: not a toml: {_reason(error)}") from error
    except RecursionError as error:
        raise _too_deep(name, "toml") from error
    except (ValueError, MemoryError, OverflowError) as error:  # ValueError: an integer of more than 4300 digits
        raise InputError(f"{name}: not a toml that can be read: {_reason(error)}") from error
    _check_nesting(table, name, "toml")
    return table


def _check_status(status: os.stat_result, name: str, limit: int) -> None:
    """Raise an InputError for anything but a regular file of at most ``limit`` bytes."""
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{name} is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{name} is not a regular file")
    if status.st_size > limit:
        raise InputError(f"{name} has {status.st_size:,} bytes: up to {limit:,} are read")


def _decode(data: bytes, name: str, errors: str) -> str:
    """Return the text of a file, without its byte order mark."""
    if data.startswith(_UTF_16):
        raise InputError(f"{name} is UTF-16 text: save it as UTF-8")
    try:
        return data.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", errors)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{name}:{line}: a byte is not UTF-8: save the file as UTF-8") from error


def _check_nesting(value: Any, name: str, format: str) -> None:  # noqa: A002
    """Raise an InputError when lists and tables are nested deeper than MAX_NESTING, without recursion."""
    level = [value]
    for _ in range(MAX_NESTING):
        level = [
            item
            for container in level
            if isinstance(container, (list, dict))
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, (list, dict))
        ]
        if not level:
            return
    raise _too_deep(name, format)


def _too_deep(name: str, format: str) -> InputError:  # noqa: A002
    return InputError(f"{name}: not a {format} that can be read: it is nested deeper than {MAX_NESTING} levels")


def _reason(error: BaseException) -> str:
    """Return the first line of an error's message, printable."""
    return shown((str(error).strip().splitlines() or [type(error).__name__])[0][:200])
