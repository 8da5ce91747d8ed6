"""A cache of converted networks on disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout
from torch import nn

from nmebench.bounded_read import parse_json, read_bounded
from nmebench.engines.state_hash import network_state
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.paths import cache_folder
from nmebench.plugin_source import plugin_sources
from nmebench.source_hash import code_hash, package_hash

__all__ = ["cache_key", "folder", "read", "remove", "write"]

MAX_ENTRIES = 8
"""Number of converted networks to keep; the least recently used one is removed first."""

ABANDONED_AFTER = 3600.0
"""Seconds after which the unfinished file of a writer that was killed is removed."""

_SUFFIX = ".network"
_DIGEST_BYTES = 32
_LARGEST = 16 * 2**30


def folder() -> Path:
    """Return the folder of converted networks: ``engines/`` in the cache folder."""
    return cache_folder() / "engines"


def cache_key(module: nn.Module, *facts: object) -> str | None:
    """Hash every input of a conversion: weights, structure, attributes, source code, and ``facts``.

    Args:
        module: the network.
        *facts: anything else that the converted network depends on, such as versions and shapes.

    Returns:
        64 hexadecimal digits; None for a network whose code can't be found, for example because a class was defined in
        an interpreter, or whose state has no exact description (:mod:`nmebench.engines.state_hash`). Such a network
        must not be cached.
    """
    try:
        return _cache_key(module, facts)
    except InputError:
        return None


def _cache_key(module: nn.Module, facts: Sequence[object]) -> str:
    sources = plugin_sources({type(one): None for one in module.modules()})
    # A plug-in may import any module of this project.
    code = code_hash() if sources else package_hash("nmebench.engines", "nmebench.models")
    digest = hashlib.sha256()
    for fact in (network_state(module), *facts, code, [source.identity for source in sources]):
        digest.update(repr(fact).encode() + b"\0")
    return digest.hexdigest()


def read(key: str) -> dict[str, bytes] | None:
    """Return the contents of an entry by name, and mark it as used; None if it is missing or damaged.

    The contents are checked in memory, so an entry that another process replaces or removes meanwhile is read
    completely or not at all.
    """
    entry = folder() / f"{key}{_SUFFIX}"
    try:
        sealed = memoryview(read_bounded(entry, _LARGEST))
    except InputError:
        return None
    digest, content = sealed[:_DIGEST_BYTES], sealed[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        return None  # the network is converted again, which replaces the entry
    with suppress(OSError):  # another process has removed it
        os.utime(entry)
    header, _, body = bytes(content).partition(b"\n")
    try:
        sizes = parse_json(header.decode("utf-8", "replace"), entry.name)
    except InputError:
        return None
    if not isinstance(sizes, dict) or not all(type(size) is int and size >= 0 for size in sizes.values()):
        return None
    found: dict[str, bytes] = {}
    start = 0
    for name, size in sizes.items():
        found[name] = body[start : start + size]
        start += size
    return found if start == len(body) else None


def write(key: str, contents: Mapping[str, bytes]) -> None:
    """Store an entry, or replace it; then remove the least recently used ones beyond :data:`MAX_ENTRIES`.

    Args:
        key: the result of :func:`cache_key`.
        contents: bytes by name.

    Raises:
        OSError: the cache can't be written.
    """
    parent = folder()
    parent.mkdir(parents=True, exist_ok=True)
    header = json.dumps({name: len(content) for name, content in contents.items()}).encode()
    sealed = b"".join([header, b"\n", *contents.values()])
    write_atomically(parent / f"{key}{_SUFFIX}", hashlib.sha256(sealed).digest() + sealed)
    _tidy(parent)


def remove(key: str) -> None:
    """Remove an entry, if it exists."""
    with suppress(OSError):
        (folder() / f"{key}{_SUFFIX}").unlink()


def _tidy(parent: Path) -> None:
    """Remove old entries and the unfinished files of killed writers; one process at a time."""
    try:
        with FileLock(parent / ".lock", timeout=0):
            entries: list[tuple[float, Path]] = []
            others: list[tuple[float, Path]] = []
            for path in parent.iterdir():
                with suppress(OSError):  # another process has just renamed its unfinished file
                    found = entries if path.suffix == _SUFFIX and not path.name.startswith(".") else others
                    found.append((path.stat().st_mtime, path))
            _delete(path for _, path in sorted(entries)[:-MAX_ENTRIES])
            abandoned = time.time() - ABANDONED_AFTER
            _delete(path for changed, path in others if changed < abandoned and path.name != ".lock")
    except (Timeout, OSError, NotImplementedError):
        return  # another process does it, or the file system has no locks: a later run removes the files


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # an unfinished entry of an earlier version, which used folders
        else:
            with suppress(OSError):
                path.unlink()
