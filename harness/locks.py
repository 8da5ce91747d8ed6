"""Locks on files between processes. Every lock that can't be held becomes one line with the way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["locked"]


@contextmanager
def locked(file: Path, *, busy: str, way_out: str, seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock on a file while the ``with`` block runs.

    The operating system releases the lock of a process that ends in any way, so a remaining file holds no lock.

    Args:
        file: the lock file; its folder must exist. It may remain afterwards.
        busy: the message when another process holds the lock, with the way out.
        way_out: what to do when the file system refuses the lock or the folder can't be written.
        seconds: the longest time to wait for another process.

    Raises:
        InputError: another process holds the lock, the file system has no locks, or the file can't be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with locked(Path(folder) / "lock", busy="in use", way_out="choose another folder"):
        ...         with locked(Path(folder) / "lock", busy="in use; wait", way_out="choose another folder"):
        ...             pass
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: in use; wait
    """
    lock = FileLock(file, timeout=seconds)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(busy) from error
    except (OSError, NotImplementedError) as error:  # filelock's NotImplementedError stands for ENOSYS
        reason = getattr(error, "strerror", None) or "it has none"
        raise InputError(f"{shown(file)}: the file system refuses the lock ({reason}); {way_out}") from error
    try:
        yield
    finally:
        lock.release()
