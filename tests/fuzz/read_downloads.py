"""Readers of downloads, archives and caches."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from nmebench import datasets
from nmebench.engines import model_cache
from nmebench.errors import InputError
from nmebench.fetch import archive, lockfile, sources
from nmebench.synthface import cache as synthface_cache

from seeds import LOCK, packed_files  # isort: skip
from reader import Reader, configurations, folder_file, once, sealed  # isort: skip

__all__ = ["DOWNLOAD_READERS"]


def _unpack(file: Path, _name: str) -> None:
    target = file.parent / "unpacked"
    shutil.rmtree(target, ignore_errors=True)
    archive.list_files(file)
    try:
        archive.unpack(file, target, max_bytes=2**22, max_files=500, top="top")
        assert archive.read_origin(target) is not None
    except InputError:
        assert not target.exists()
        raise
    finally:
        left = [path.name for path in file.parent.iterdir() if path.name.startswith(".unpacked")]
        assert not left, left


def _read_lock(folder: Path) -> None:
    found = lockfile.read(folder)
    lockfile.record(folder, "other", lockfile.LockEntry("a", "b" * 64, 1, "by hand"))
    assert lockfile.read(folder).keys() >= found.keys()


def _manifest_seeds() -> dict[str, bytes]:
    from nmebench import synthface

    folder = once("synthface", lambda path: synthface.make(path, faces=2, seed=0, workers=1))
    return {"synthface.json": (folder / "synthface.json").read_bytes()}


def _read_manifest(file: Path, _name: str) -> None:
    base = Path(os.environ["FUZZ_FOLDER"]) / "base" / "synthface"
    whole = (base / "synthface.json").read_bytes()
    try:
        shutil.copyfile(file, base / "synthface.json")
        fault = synthface_cache.fault_of(base)
        assert fault is None or "\n" not in fault
        datasets.load(f"synthface:{base}")
    finally:
        (base / "synthface.json").write_bytes(whole)


def _converted_seeds() -> dict[str, bytes]:
    os.environ["NMEBENCH_CACHE"] = os.environ["FUZZ_FOLDER"] + "/cache"
    model_cache.write("a" * 64, {"xml": b"<xml/>", "bin": b"1234"})
    return {"entry.bin": (model_cache.folder() / ("a" * 64 + ".network")).read_bytes()}


def _read_converted(file: Path, _name: str) -> None:
    target = model_cache.folder() / ("a" * 64 + ".network")
    data = file.read_bytes()
    for content in (data, sealed(data[32:])):
        target.write_bytes(content)
        found = model_cache.read("a" * 64)
        assert found is None or all(isinstance(part, bytes | memoryview) for part in found.values())


DOWNLOAD_READERS: dict[str, Reader] = {
    "lock-files": Reader(lambda: {"lock.json": LOCK}, folder_file("cache", lockfile.LOCK_NAME, _read_lock)),
    "download-lists": Reader(configurations("harness/fetch"), lambda file, _: sources.load_sources(file)),
    "archives": Reader(packed_files, _unpack),
    "archive-records": Reader(
        lambda: {"marker.json": b'{"archive": "a.zip", "bytes": 1, "files": 1, "packed": 1, "sha256": "0"}'},
        folder_file("unpacked", archive.MARKER, archive.read_origin),
    ),
    "synthface-manifests": Reader(_manifest_seeds, _read_manifest),
    "converted-networks": Reader(_converted_seeds, _read_converted),
}
