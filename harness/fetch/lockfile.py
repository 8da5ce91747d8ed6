"""The lock file: pins the SHA-256 of each file's first download, and a lock on the cache folder.

Most files have no published hash. The first complete download (right size and, for an archive, unpacked to the last
byte) is recorded with its SHA-256, and a later download with other bytes is refused. So results from one cache never
come from two versions of a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nmebench.bounded_read import read_json
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.locks import locked
from nmebench.printable import shown

__all__ = ["LOCK_NAME", "LockEntry", "lock_cache", "read", "record"]

LOCK_NAME = "nmebench.lock.json"
_SCHEMA = 1


@dataclass(frozen=True)
class LockEntry:
    """A file as it was first verified."""

    file: str
    sha256: str
    bytes: int
    origin: str
    """Address of the download, or ``by hand``."""


def read(cache: Path) -> dict[str, LockEntry]:
    """Return the recorded files by source name; empty if there is no lock file yet.

    Raises:
        InputError: the lock file can't be read or is damaged.
    """
    path = cache / LOCK_NAME
    if not path.exists():
        return {}
    way_out = "restore it, or delete it to accept the files as they are now"
    try:
        raw: Any = read_json(path, kind="lock file")
    except InputError as error:
        raise InputError(f"{error}; {way_out}") from error
    try:
        if raw["schema"] != _SCHEMA:
            raise InputError(f"{shown(path)}: schema {raw['schema']!r:.40} can't be read, allowed: {_SCHEMA}")
        return {name: LockEntry(**_checked(entry)) for name, entry in raw["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{shown(path)}: not a lock file of nmebench ({type(error).__name__}); {way_out}") from error


def _checked(entry: Any) -> Any:
    """Return the fields of an entry.

    Raises:
        TypeError: a field has another type.
    """
    texts = all(isinstance(entry[name], str) for name in ("file", "sha256", "origin"))
    if not texts or type(entry["bytes"]) is not int:
        raise TypeError("a field has another type")
    return entry


def record(cache: Path, name: str, entry: LockEntry) -> None:
    """Add a file to the lock file; an existing entry is never changed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     record(Path(folder), "net", LockEntry("net.pth", "3f8e0c2c", 5, "by hand"))
        ...     record(Path(folder), "net", LockEntry("net.pth", "00000000", 6, "by hand"))
        ...     read(Path(folder))["net"].sha256
        '3f8e0c2c'
    """
    files = read(cache)
    if name in files:
        return
    files[name] = entry
    value = {"schema": _SCHEMA, "files": {key: asdict(files[key]) for key in sorted(files)}}
    write_atomically(cache / LOCK_NAME, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def lock_cache(cache: Path) -> Iterator[None]:
    """Make the cache folder and lock it, so that two commands never write to it at the same time.

    Raises:
        InputError: another command holds the lock, or the folder can't be written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{shown(cache)}: the cache can't be written ({error.strerror}); choose another with NMEBENCH_CACHE"
        ) from error
    with locked(
        cache / ".nmebench.lock",
        busy=f"{shown(cache)}: another nmebench command is downloading into this cache; wait for it, or choose another "
        "cache with NMEBENCH_CACHE",
        way_out="choose another cache with NMEBENCH_CACHE",
    ):
        yield
