"""A cache of converted networks on disk."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from nmebench.files import file_sha256
from nmebench.paths import cache_folder
from nmebench.source_hash import package_hash

__all__ = ["add", "cache_key", "find", "folder"]

MAX_ENTRIES = 8
"""Number of converted networks to keep; the least recently used one is removed first."""

_CHECKSUM = "checksum"
"""File of an entry that holds the hash of its other files."""


def folder() -> Path:
    """Return the folder of converted networks: ``engines/`` in the cache folder."""
    return cache_folder() / "engines"


def cache_key(module: nn.Module, *facts: object) -> str:
    """Hash every input of a conversion: the network's weights and structure, the code of ``models``, and ``facts``.

    Args:
        module: the network.
        *facts: anything else that the converted network depends on, such as versions and shapes.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for fact in (type(module).__qualname__, repr(module), *facts):
        digest.update(repr(fact).encode() + b"\0")
    digest.update(package_hash("nmebench.models").encode())
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def find(key: str) -> Path | None:
    """Return the folder of an entry and mark it as used; None if it is missing. A damaged entry is removed."""
    entry = folder() / key
    try:
        if (entry / _CHECKSUM).read_text() == _checksum(entry):
            os.utime(entry)
            return entry
    except OSError:
        if not entry.exists():
            return None
    shutil.rmtree(entry, ignore_errors=True)
    return None


@contextmanager
def add(key: str) -> Iterator[Path]:
    """Yield an empty folder to write to; it becomes the entry ``key`` if the ``with`` block ends without an error.

    Raises:
        OSError: the cache can't be written.
    """
    entry = folder() / key
    entry.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".making-", dir=entry.parent))
    try:
        yield temporary
        (temporary / _CHECKSUM).write_text(_checksum(temporary))
        try:
            temporary.replace(entry)
        except OSError:  # another process has written the same entry
            if not entry.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        _remove_old_entries(entry.parent)


def _checksum(entry: Path) -> str:
    """Hash of the names and contents of an entry's files."""
    digest = hashlib.sha256()
    for path in sorted(entry.iterdir()):
        if path.name != _CHECKSUM:
            digest.update(f"{path.name}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()


def _remove_old_entries(parent: Path) -> None:
    entries = [entry for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    entries.sort(key=lambda entry: entry.stat().st_mtime)
    for entry in entries[:-MAX_ENTRIES]:
        shutil.rmtree(entry, ignore_errors=True)
