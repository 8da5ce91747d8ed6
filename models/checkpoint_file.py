"""Checks of a weights file before it is opened: a regular file, not empty, and of bounded size."""

from __future__ import annotations

import stat
from pathlib import Path

from nmebench.models.errors import CheckpointError
from nmebench.suggest import similar_path

__all__ = ["MAX_BYTES", "check_file", "read_checkpoint"]

MAX_BYTES = 16 * 2**30
"""Size limit of a checkpoint."""


def check_file(path: Path, limit: int = MAX_BYTES) -> int:
    """Return the size of a weights file without opening it.

    Opening a named pipe would wait for a writer, and a device such as ``/dev/zero`` never ends.

    Args:
        path: the file.
        limit: the largest size in bytes.

    Raises:
        CheckpointError: the file is missing, empty, larger than ``limit`` or not a regular file.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        hint = f"{similar_path(path)}; give the file of the weights"
        raise CheckpointError(f"{path} can't be read: {error.strerror}{hint}") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise CheckpointError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise CheckpointError(f"{path} is a folder; give the file of the weights")
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path} is a pipe, device or socket; give a regular file")
    if status.st_size == 0:
        raise CheckpointError(f"{path} is empty (0 bytes); download it again")
    if status.st_size > limit:
        raise CheckpointError(f"{path} has {status.st_size:,} bytes: up to {limit:,} are read; is it a weights file?")
    return status.st_size


def read_checkpoint(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a weights file.

    Raises:
        CheckpointError: as :func:`check_file`, or the file can't be read.
    """
    size = check_file(path, limit)
    try:
        with path.open("rb") as file:
            return file.read(size)  # reserves this memory at once
    except MemoryError as error:
        raise CheckpointError(f"{path} can't be read: not enough memory for its {size:,} bytes") from error
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}") from error
