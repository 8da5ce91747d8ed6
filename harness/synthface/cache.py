"""The cached copy of a drawn split: drawn on demand, checked on every use."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any, Final

import filelock

from nmebench.errors import InputError
from nmebench.paths import cache_folder
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
    lock = filelock.FileLock(root.with_name(root.name + ".lock"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise InputError(
            f"cache {folder} can't be written ({error.strerror}); set NMEBENCH_CACHE to a folder that you may write to"
        ) from error
    try:
        if root.exists():
            fault = fault_of(root)
            if fault is None:
                return root
            warnings.warn(f"{root}: {fault}; drawing it again", stacklevel=2)
            shutil.rmtree(root)
        return make(root, faces=faces, seed=seed, split=split, workers=workers, progress=progress)
    finally:
        lock.release()


def fault_of(root: Path) -> str | None:
    """Describe the first fault of a drawn dataset on disk; None when every file is unchanged."""
    manifest = _manifest(root)
    if manifest is None:
        return f"{MANIFEST} is missing or damaged"
    if manifest.get("renderer_version") != RENDERER_VERSION:
        return f"{MANIFEST} is of renderer version {manifest.get('renderer_version')}, this is {RENDERER_VERSION}"
    hashes: dict[str, str] = manifest["files"]
    here = files_of(root)
    for name in sorted(hashes.keys() - set(here)):
        return f"{name} is missing"
    for name in sorted(set(here) - hashes.keys()):
        return f"{name} does not belong there"
    for name in here:
        if hash_of(root / name) != hashes[name]:
            return f"{name} was changed"
    return None


def _manifest(root: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) else None
