"""The photographs inside COFW's MATLAB files, stored once as PNG in the cache folder."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from nmebench.datasets.readers import cofw_mat
from nmebench.errors import InputError
from nmebench.files import file_sha256
from nmebench.locks import locked
from nmebench.paths import cache_folder
from nmebench.printable import shown

__all__ = ["extracted"]

_PATIENCE: Final = 3600.0
"""Seconds to wait for another process that stores the same photographs."""

_LAYOUT: Final = 1
"""Version of the stored files; a change of their names or pixels raises it."""


def extracted(file: Path, sha256: str | None = None) -> Path:
    """Return the folder with the photographs of a MATLAB file; store them when they are not there yet.

    The folder is named by the file's hash, and it is renamed to that name when it is complete. Colours and sizes are
    exactly those of the file.

    Args:
        file: ``COFW_test_color.mat`` or another file of COFW.
        sha256: its hash, if it is known already.

    Raises:
        InputError: the file or a photograph in it can't be read, or the cache can't be written.
    """
    folder = cache_folder() / "cofw"
    root = folder / f"v{_LAYOUT}-{sha256 or file_sha256(file)}"
    if root.is_dir():
        return root
    way_out = "set NMEBENCH_CACHE to a folder that you may write to"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cache {shown(folder)} can't be written ({error.strerror}); {way_out}") from error
    busy = f"another process has been storing the photographs of {shown(file)} for an hour; end it"
    with locked(root.with_name(root.name + ".lock"), busy=busy, way_out=way_out, seconds=_PATIENCE):
        if not root.is_dir():
            _store(file, root)
    return root


def _store(file: Path, root: Path) -> None:
    staging = Path(tempfile.mkdtemp(dir=root.parent, prefix=".storing-"))
    try:
        for name, pixels in cofw_mat.pictures(file, cofw_mat.split_of(file)):
            bgr = np.ascontiguousarray(pixels[..., ::-1] if pixels.ndim == 3 else pixels)
            _, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
            (staging / name).write_bytes(data.tobytes())
        staging.chmod(0o755)
        staging.rename(root)
    except OSError as error:
        raise InputError(f"cache {shown(root.parent)} can't be written ({error.strerror})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
