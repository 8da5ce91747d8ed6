"""Remembers the hashes of photographs, so that a sweep over many of them doesn't read all of them again at its start.

A remembered hash is used only if the photograph has the same device, inode, size, time of modification and time of
change (``ctime``). Programs can set the time of modification, and copies and restored backups do so; the time of change
is the kernel's alone, and every write, rename and copy sets it. Three things would make it unreliable and are excluded:

* a file system without such times, or with another machine's: only those of :data:`_LOCAL` are remembered;
* a write within the time stamp's step after the photograph was read: a photograph that changed less than
  :data:`_SETTLED` seconds before it was read is not remembered;
* a write while it is read: the status must be the same before and after.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.paths import cache_folder

__all__ = ["Content", "contents"]

_FEWEST: Final = 1000
"""Fewer photographs than this are read each time; it takes half a second."""

_LARGEST: Final = 2**30
"""Bytes of the largest file of remembered hashes that is read."""

_SETTLED: Final = 3.0
"""Seconds; the coarsest time stamps of the local file systems have steps of 2 seconds."""

_LOCAL: Final = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
"""File systems whose times of change the kernel of this machine sets, by Linux's names."""

_AT_ONCE: Final = 256
"""Photographs that are handed to the threads at a time."""


@dataclass(frozen=True)
class Content:
    """The content of a photograph, as far as it matters here."""

    sha256: bytes
    """32 bytes; empty for a photograph that can't be read."""
    lacks_end: bool
    """True for a JPEG without an end marker."""


_Status = tuple[int, int, int, int, int]
"""Device, inode, size, time of modification and time of change in nanoseconds."""


def contents(
    folder: Path, names: Sequence[str], inspect: Callable[[Path], Content], *, workers: int
) -> Iterator[Content]:
    """Yield the content of each photograph, read or remembered.

    Args:
        folder: the folder that the names are relative to.
        names: the photographs, each once.
        inspect: reads a photograph.
        workers: threads that read.
    """
    file = _file(folder) if len(names) >= _FEWEST else None
    known = {} if file is None else _read(file)
    learned: dict[str, tuple[_Status, Content]] = {}

    def content(name: str) -> Content:
        path = folder / name
        before = None if file is None else _status(path)
        if before is not None and name in known and known[name][0] == before:
            return known[name][1]
        found = inspect(path)
        if before is not None and found.sha256 and _is_settled(before, path) and _is_local(before[0]):
            learned[name] = (before, found)
        return found

    with ThreadPoolExecutor(workers, "hash") as pool:
        for start in range(0, len(names), _AT_ONCE):
            yield from pool.map(content, names[start : start + _AT_ONCE])
    if file is not None and learned:
        _write(file, known | learned)


def _file(folder: Path) -> Path | None:
    """The file of a folder's hashes; None where nothing can be remembered."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
        return cache_folder() / "photographs" / f"{name}.hashes"
    except (InputError, OSError, ValueError):  # no home folder, or a name that can't be resolved
        return None


def _status(path: Path) -> _Status | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _is_settled(before: _Status, path: Path) -> bool:
    """Return True if a photograph didn't change while it was read, nor shortly before."""
    return before == _status(path) and time.time() - before[4] / 1e9 > _SETTLED


@cache
def _is_local(device: int) -> bool:
    """Return True if a device's times of change can be relied on."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    kinds = set()
    for line in mounts.splitlines():
        mount, _, system = line.partition(" - ")
        if mount.split()[2:3] == [wanted]:
            kinds.add(system.split()[0])
    return bool(kinds) and kinds <= _LOCAL


def _read(file: Path) -> dict[str, tuple[_Status, Content]]:
    """Return the remembered hashes by name; none from a missing or damaged file."""
    try:
        sealed = memoryview(read_bounded(file, _LARGEST))
    except InputError:
        return {}
    if hashlib.sha256(sealed[32:]).digest() != sealed[:32]:
        return {}
    try:
        with np.load(io.BytesIO(sealed[32:]), allow_pickle=False) as arrays:
            names = arrays["names"].tobytes().decode("utf-8", "surrogateescape").split("\0")
            places, times = arrays["places"].tolist(), arrays["times"].tolist()
            hashes, lacks_end = arrays["sha256"].tobytes(), arrays["lacks_end"].tolist()
    except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile):  # sealed by another version
        return {}
    return {
        name: ((*place, *at), Content(hashes[32 * row : 32 * row + 32], lacks))
        for row, (name, place, at, lacks) in enumerate(zip(names, places, times, lacks_end, strict=False))
    }


def _write(file: Path, known: dict[str, tuple[_Status, Content]]) -> None:
    """Store hashes by name; a folder that can't be written to remembers nothing."""
    sink = io.BytesIO()
    np.savez(
        sink,
        allow_pickle=False,
        names=np.frombuffer("\0".join(known).encode("utf-8", "surrogateescape"), np.uint8),
        places=np.array([status[:2] for status, _ in known.values()], np.uint64),
        times=np.array([status[2:] for status, _ in known.values()], np.int64),
        sha256=np.frombuffer(b"".join(content.sha256 for _, content in known.values()), np.uint8),
        lacks_end=np.array([content.lacks_end for _, content in known.values()], bool),
    )
    data = sink.getvalue()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, hashlib.sha256(data).digest() + data)
    except OSError:
        return
