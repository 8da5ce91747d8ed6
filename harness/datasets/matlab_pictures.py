"""The photographs inside COFW's MATLAB files, stored once as PNG in the cache folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from nmebench.bounded_read import read_json
from nmebench.datasets.readers import cofw_mat
from nmebench.errors import InputError
from nmebench.files import file_sha256, write_atomically
from nmebench.locks import locked
from nmebench.paths import cache_folder
from nmebench.printable import shown

__all__ = ["extracted"]

_PATIENCE: Final = 3600.0
"""Seconds to wait for another process that stores the same photographs."""

_LAYOUT: Final = 1
"""Version of the stored files; a change of their names or pixels raises it."""


def extracted(file: Path, sha256: str | None = None) -> Path:
    """Return the folder with the photographs of a MATLAB file; store them when they are missing or were changed.

    The folder is named by the file's hash, and it is renamed to that name when it is complete. Colours and sizes are
    exactly those of the file. The stored photographs are hashed on every call.

    Args:
        file: ``COFW_test_color.mat`` or another file of COFW.
        sha256: its hash, if it is known already.

    Raises:
        InputError: the file or a photograph in it can't be read, or the cache can't be written.
    """
    folder = cache_folder() / "cofw"
    root = folder / f"v{_LAYOUT}-{sha256 or file_sha256(file)}"
    way_out = "set NMEBENCH_CACHE to a folder that you may write to"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cache {shown(folder)} can't be written ({error.strerror}); {way_out}") from error
    busy = f"another process has been storing the photographs of {shown(file)} for an hour; end it"
    with locked(_beside(root, ".lock"), busy=busy, way_out=way_out, seconds=_PATIENCE):
        fault = _fault(root) if root.exists() else None
        if fault is not None:
            warnings.warn(f"{root}: {fault}; storing the photographs again", stacklevel=2)
        if fault is not None or not root.exists():
            _store(file, root)
    return root


def _beside(root: Path, ending: str) -> Path:
    return root.with_name(root.name + ending)


def _fault(root: Path) -> str | None:
    """Describe the first fault of stored photographs; None when every file is unchanged."""
    try:
        wanted = read_json(_beside(root, ".json"))
        found = {path.name: file_sha256(path) for path in sorted(root.iterdir())}
    except (InputError, OSError) as error:
        return str(error)
    if not isinstance(wanted, dict) or set(wanted) != set(found):
        return "its files are not those that were stored"
    changed = next((name for name in sorted(found) if found[name] != wanted[name]), None)
    return None if changed is None else f"{shown(changed)} was changed"


def _store(file: Path, root: Path) -> None:
    """Write the photographs and their hashes; a folder of another attempt is replaced."""
    staging = _beside(root, ".part")
    try:
        for old in (staging, root):
            if old.exists():
                shutil.rmtree(old)
        staging.mkdir()
        hashes: dict[str, str] = {}
        for name, pixels in cofw_mat.pictures(file, cofw_mat.split_of(file)):
            bgr = np.ascontiguousarray(pixels[..., ::-1] if pixels.ndim == 3 else pixels)
            _, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
            (staging / name).write_bytes(data.tobytes())
            hashes[name] = hashlib.sha256(data.tobytes()).hexdigest()
        write_atomically(_beside(root, ".json"), json.dumps(hashes, indent=1) + "\n")
        staging.rename(root)
    except OSError as error:
        reason = error.strerror or error
        way_out = "free space, or set NMEBENCH_CACHE to another folder"
        raise InputError(f"cache {shown(root.parent)} can't be written ({reason}); {way_out}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
