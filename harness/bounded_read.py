"""Bounded reads of files that the user names."""

from __future__ import annotations

import stat
from pathlib import Path

from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["read_bounded"]


def read_bounded(path: Path, limit: int, *, kind: str = "") -> bytes:
    """Return the bytes of a regular file, or fail with one line that names it.

    The file's type and size are checked before it is opened: opening a named pipe would wait for a writer, and a
    larger file could exhaust the memory.

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
    data = b""
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= limit:
            data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{name} is missing") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{name} can't be read: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{name} is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{name} is not a regular file")
    if status.st_size > limit:
        raise InputError(f"{name} has {status.st_size:,} bytes: up to {limit:,} are read")
    return data
