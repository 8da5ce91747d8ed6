"""The cached copy of a drawn split: drawn on demand, checked on every use."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any, Final

from nmebench.bounded_read import read_json
from nmebench.errors import InputError
from nmebench.locks import locked
from nmebench.paths import cache_folder
from nmebench.printable import shown
from nmebench.synthface.layout import (
    MANIFEST,
    RENDERER_VERSION,
    Progress,
    files_of,
    hash_of,
    make,
)

BENCHMARK_FACES: Final = 500
BENCHMARK_SEED: Final = 98
_PATIENCE: Final = 3600.0
"""Seconds to wait for another process that draws the same split; 500 faces take about a minute."""


def cached(
    faces: int = BENCHMARK_FACES,
    seed: int = BENCHMARK_SEED,
    split: str = "test",
    cache: Path | None = None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the folder of a split in the cache; draw it when it is missing or its files were changed.

    Args:
        faces: number of faces of the split.
        seed: seed of the faces.
        split: ``test`` or ``train``.
        cache: cache folder; None for the default of :func:`nmebench.paths.cache_folder`.
        workers: processes that draw; None for one per core.
        progress: called with the number of faces drawn and the total.

    Raises:
        InputError: the cache can't be written.
    """
    folder = cache_folder(cache)
    root = folder / f"synthface-v{RENDERER_VERSION}-{split}-{faces}-seed{seed}"
    way_out = "set NMEBENCH_CACHE to a folder that you may write to"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cache {shown(folder)} can't be written ({error.strerror}); {way_out}") from error
    busy = f"another process has been drawing {shown(root)} for an hour; end it, or set NMEBENCH_CACHE"
    with locked(root.with_name(root.name + ".lock"), busy=busy, way_out=way_out, seconds=_PATIENCE):
        if root.exists():
            fault = fault_of(root)
            if fault is None:
                return root
            warnings.warn(f"{root}: {fault}; drawing it again", stacklevel=2)
            _remove(root)
        return make(root, faces=faces, seed=seed, split=split, workers=workers, progress=progress)


def _remove(root: Path) -> None:
    """Remove a damaged split, which may be a file or a link by now."""
    try:
        if root.is_dir() and not root.is_symlink():
            shutil.rmtree(root)
        else:
            root.unlink()
    except OSError as error:
        raise InputError(f"{shown(root)} is damaged and can't be removed ({error.strerror}); remove it") from error


def fault_of(root: Path) -> str | None:
    """Describe the first fault of a drawn dataset on disk; None when every file is unchanged."""
    manifest = _manifest(root)
    if manifest is None:
        return f"{MANIFEST} is missing or damaged"
    if manifest.get("renderer_version") != RENDERER_VERSION:
        return f"{MANIFEST} is of renderer version {manifest.get('renderer_version')!r:.40}, this is {RENDERER_VERSION}"
    hashes: dict[str, str] = manifest["files"]
    here = files_of(root)
    for name in sorted(hashes.keys() - set(here)):
        return f"{shown(name)[:200]} is missing"
    for name in sorted(set(here) - hashes.keys()):
        return f"{shown(name)[:200]} does not belong there"
    for name in here:
        if hash_of(root / name) != hashes[name]:
            return f"{shown(name)[:200]} was changed"
    return None


def _manifest(root: Path) -> dict[str, Any] | None:
    try:
        manifest = read_json(root / MANIFEST)
    except InputError:
        return None
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) else None
