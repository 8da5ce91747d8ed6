"""Files: hashes, and writes that a reader sees whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["FileHash", "atomic_writer", "file_sha256", "write_atomically"]


@dataclass(frozen=True)
class FileHash:
    """A file that a number depends on."""

    name: str
    """Path relative to the dataset's or card's folder, or the bare name outside it; never an absolute path."""
    sha256: str
    bytes: int


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a file through a temporary sibling and a rename: readers see the old bytes or the new ones.

    Args:
        path: the file; its folder must exist.
        data: the content. Text is written as UTF-8; lone surrogates (undecodable file names) keep their bytes.

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
    with atomic_writer(path) as file:
        file.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)


@contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """A binary file object whose content becomes the file ``path`` when the ``with`` block ends without an error.

    Raises:
        OSError: the folder can't be written. After any error the temporary file is removed and ``path`` is unchanged.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
