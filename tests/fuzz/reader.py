"""A reader of files, the mutations that fit each kind of file, and steps that readers share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nmebench.errors import InputError

from mutate_archives import mutate_tar, mutate_zip  # isort: skip
from mutate_arrays import mutate_npy, mutate_npz, mutate_parquet  # isort: skip
from mutate_pictures import mutate_picture  # isort: skip
from mutate_weights import mutate_pth, mutate_safetensors  # isort: skip
from mutations import Mutation, mutate_bytes, mutate_json, mutate_lines, mutate_toml  # isort: skip
from onnx_graphs import mutate_onnx  # isort: skip
from seeds import ROOT  # isort: skip

__all__ = ["Reader", "call_each", "configurations", "folder_file", "once", "sealed"]


MUTATIONS: Mapping[str, Mutation] = {
    ".txt": mutate_lines,
    ".csv": mutate_lines,
    ".spec": mutate_lines,
    ".json": mutate_json,
    ".jsonl": mutate_lines,
    ".toml": mutate_toml,
    ".npy": mutate_npy,
    ".npz": mutate_npz,
    ".parquet": mutate_parquet,
    ".pth": mutate_pth,
    ".safetensors": mutate_safetensors,
    ".onnx": mutate_onnx,
    ".zip": mutate_zip,
    ".tar": mutate_tar,
    ".gz": mutate_tar,
    **dict.fromkeys((".jpg", ".png", ".bmp", ".webp", ".tif", ".gif", ".jp2"), mutate_picture),
}


@dataclass(frozen=True)
class Reader:
    """A reader, the valid files that seed its cases, and how to call it."""

    seeds: Callable[[], Mapping[str, bytes]]
    """Valid files by name. The name's suffix selects the mutations."""
    call: Callable[[Path, str], object]
    """``call(file, name)`` reads the changed file; ``name`` is that of its seed."""
    decoders_print: bool = False
    """libjpeg, libpng and libtiff may write to standard error: that can't be switched off per file."""

    def mutation(self, name: str) -> Mutation:
        """Return the mutations for a seed."""
        return MUTATIONS.get(Path(name).suffix, mutate_bytes)


def once(name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that is made once per process and copied for each case."""
    folder = Path(os.environ["FUZZ_FOLDER"]) / "base" / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        make(folder)
    return folder


def call_each(*calls: Callable[[], object]) -> None:
    """Call everything; raise the first InputError at the end."""
    failed: InputError | None = None
    for call in calls:
        try:
            call()
        except InputError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def configurations(folder: str, *names: str) -> Callable[[], Mapping[str, bytes]]:
    return lambda: {
        path.name: path.read_bytes()
        for path in sorted((ROOT / folder).glob("*.toml"))
        if not names or path.stem in names
    }


def folder_file(folder: str, name: str, read: Callable[[Path], object]) -> Callable[[Path, str], object]:
    """Copy the changed file to ``folder/name`` and call ``read(folder)``."""

    def call(file: Path, _name: str) -> object:
        target = file.parent / folder
        target.mkdir(exist_ok=True)
        shutil.copyfile(file, target / name)
        return read(target)

    return call


def sealed(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).digest() + data
