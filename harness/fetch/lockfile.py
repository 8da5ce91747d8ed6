"""What was downloaded first, and enforced afterwards.

For most files no hash is published. The first download that proved whole (right length, and for an archive: unpacked
to the last byte) is recorded with its sha256; a later download with other bytes is refused, so that two numbers from
one cache never come from two versions of a file.
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

__all__ = ["LOCK_NAME", "Recorded", "alone", "read", "record"]

LOCK_NAME = "nmebench.lock.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Recorded:
    """A file as it was first verified."""

    file: str
    sha256: str
    bytes: int
    origin: str
    """Address, or ``by hand``."""


def read(cache: Path) -> dict[str, Recorded]:
    """The recorded files by source name; empty when nothing was fetched yet.

    Raises:
        InputError: the lock file is damaged; it is never ignored.
    """
    path = cache / LOCK_NAME
    try:
        raw: Any = json.loads(path.read_text(encoding="utf-8"))
        if raw["schema"] != _SCHEMA:
            raise InputError(f"{shown(path)}: schema {raw['schema']!r} can't be read, allowed: {_SCHEMA}")
        return {name: Recorded(**entry) for name, entry in raw["files"].items()}
    except FileNotFoundError:
        return {}
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{shown(path)}: can't be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{shown(path)}: not a lock file of nmebench ({type(error).__name__}); restore it, or delete it to accept "
            "the files anew"
        ) from error


def record(cache: Path, name: str, entry: Recorded) -> None:
    """Record a file; an entry that is there stays as it is."""
    files = read(cache)
    if name in files:
        return
    files[name] = entry
    value = {"schema": _SCHEMA, "files": {key: asdict(files[key]) for key in sorted(files)}}
    write_atomically(cache / LOCK_NAME, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Hold the cache: two commands never write it at once.

    Raises:
        InputError: another command holds it, or the folder can't be written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache / ".nmebench.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"{shown(cache)}: another nmebench command is fetching into this cache; wait for it, or choose another "
            "cache with NMEBENCH_CACHE"
        ) from error
    except (OSError, NotImplementedError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(
            f"{shown(cache)}: the cache can't be written ({why}); choose another with NMEBENCH_CACHE"
        ) from error
    try:
        yield
    finally:
        lock.release()
