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

from filelock import FileLock, Timeout

from nmebench.errors import InputError
from nmebench.files import write_atomically
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
    try:
        raw: Any = json.loads(path.read_text(encoding="utf-8"))
        if raw["schema"] != _SCHEMA:
            raise InputError(f"{shown(path)}: schema {raw['schema']!r} can't be read, allowed: {_SCHEMA}")
        return {name: LockEntry(**entry) for name, entry in raw["files"].items()}
    except FileNotFoundError:
        return {}
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{shown(path)}: can't be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{shown(path)}: not a lock file of nmebench ({type(error).__name__}); restore it, or delete it to accept "
            "the files as they are now"
        ) from error


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
        lock = FileLock(cache / ".nmebench.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"{shown(cache)}: another nmebench command is downloading into this cache; wait for it, or choose another "
            "cache with NMEBENCH_CACHE"
        ) from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(
            f"{shown(cache)}: the cache can't be written ({reason}); choose another with NMEBENCH_CACHE"
        ) from error
    try:
        yield
    finally:
        lock.release()
