"""Converted networks on disk, named by everything that made them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from torch import nn

from nmebench.paths import cache_folder
from nmebench.source_hash import package_hash

__all__ = ["fetch", "folder", "key", "store"]

KEPT = 8
"""How many converted networks are kept; the least recently used one goes."""


def folder() -> Path:
    """The folder of converted networks: ``engines/`` in the cache folder."""
    return cache_folder() / "engines"


def key(module: nn.Module, *facts: object) -> str:
    """A hash of the network's weights, its structure, the code of ``models`` and ``facts`` (versions, shapes)."""
    digest = hashlib.sha256()
    for fact in (type(module).__qualname__, repr(module), *facts):
        digest.update(repr(fact).encode() + b"\0")
    digest.update(package_hash("nmebench.models").encode())
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _seal(entry: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(entry.iterdir()):
        if path.name != "seal":
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def fetch(name: str) -> Path | None:
    """The folder of a converted network; None when it isn't there, or isn't whole (then it is removed)."""
    entry = folder() / name
    try:
        if (entry / "seal").read_text() == _seal(entry):
            os.utime(entry)
            return entry
    except OSError:
        if not entry.exists():
            return None
    shutil.rmtree(entry, ignore_errors=True)
    return None


def store(name: str) -> _Storing:
    """A context that gives an empty folder to write into and makes it the entry ``name``, whole or not at all."""
    return _Storing(name)


class _Storing:
    def __init__(self, name: str) -> None:
        self._entry = folder() / name

    def __enter__(self) -> Path:
        self._entry.parent.mkdir(parents=True, exist_ok=True)
        self._making = Path(tempfile.mkdtemp(prefix=".making-", dir=self._entry.parent))
        return self._making

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            (self._making / "seal").write_text(_seal(self._making))
            try:
                self._making.replace(self._entry)
            except OSError:  # another process was first, with the same content
                if not self._entry.is_dir():
                    raise
        shutil.rmtree(self._making, ignore_errors=True)
        self._forget_old()

    def _forget_old(self) -> None:
        entries = [e for e in self._entry.parent.iterdir() if e.is_dir() and not e.name.startswith(".")]
        entries.sort(key=lambda e: e.stat().st_mtime)
        for entry in entries[:-KEPT]:
            shutil.rmtree(entry, ignore_errors=True)
