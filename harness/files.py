"""Hashes of files, and atomic writes."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["FileHash", "atomic_writer", "file_sha256", "write_atomically"]


@dataclass(frozen=True)
class FileHash:
    """Name, hash and size of an input file, stored with the results."""

    name: str
    """Path relative to the folder of the dataset or card, or the bare name outside it; never an absolute path."""
    sha256: str
    bytes: int


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes | str, *, durable: bool = True) -> None:
    """Write a file atomically: readers see the old content or the new one, never a part.

    The content is written to a temporary file in the same folder, which is then renamed.

    Args:
        path: path of the file; its folder must exist.
        data: the content. Text is encoded as UTF-8; lone surrogates (from undecodable file names) keep their bytes.
        durable: wait until the content is on the disk. Without it a loss of power may leave an empty file or a part;
            choose that only for a file whose reader checks a hash, and that can be made again.

    Raises:
        OSError: the folder can't be written; the temporary file is removed.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "scores.csv"
        ...     write_atomically(file, "nme\\n3.98\\n")
        ...     file.read_text()
        'nme\\n3.98\\n'
    """
    with atomic_writer(path, durable=durable) as file:
        file.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)


@contextmanager
def atomic_writer(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a binary file whose content replaces the file ``path`` when the ``with`` block ends without an error.

    A device or pipe, such as ``/dev/stdout``, is written to directly: a rename would replace it by a file.

    Args:
        path: path of the file; its folder must exist.
        durable: as for :func:`write_atomically`.

    Raises:
        OSError: the folder can't be written, or nothing reads the pipe. After any error the temporary file is removed
            and ``path`` is unchanged.
    """
    if _is_device_or_pipe(path):
        descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))  # never waits for a reader
        os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # writing to an open file on a full disk names no file
        raise


def _is_device_or_pipe(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
