"""Reads a checkpoint without executing anything in it: ``torch.save`` with ``weights_only=True``, or safetensors.

The content of the file decides which. The numpy values and histories that mmcv and mmengine store with the parameters
are skipped without being built.
"""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from nmebench.models.checkpoint_file import check_file
from nmebench.models.errors import CheckpointError

__all__ = ["read_content"]

#: Suffixes of files that somebody may give by mistake; torch would take their first letters for a pickle's commands.
_TEXTS = frozenset({".toml", ".json", ".yaml", ".yml", ".csv", ".txt", ".md", ".py"})

_IGNORED_GLOBALS = (
    "builtins.getattr",
    "mmengine.logging.history_buffer.HistoryBuffer",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
)
"""Classes and functions in mmcv's and mmengine's checkpoints: numpy scalars (scores), histories, dataset metadata."""


#: Programs in zip files, and the ending of a name that only they have.
_PROGRAMS = {
    "TorchScript": ("/constants.pkl",),
    "torch.export": ("/models/model.json", "serialized_exported_program.json"),
}


class _Placeholder:
    """Replaces each of ``_IGNORED_GLOBALS`` while a checkpoint is read: accepts any argument and does nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def read_content(path: Path) -> object:
    """Return the content of a checkpoint, tensors and plain values alone; nothing in the file is executed.

    Args:
        path: the file.

    Raises:
        CheckpointError: the file is no checkpoint, is damaged, is a program, or would run code.
    """
    size = check_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}") from error
    if head.lstrip().startswith(b"<"):
        raise CheckpointError(f"{path} is a web page, not weights (a login or quota page?); download it again")
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path} is a git-lfs pointer, not the weights; fetch it with git lfs pull")
    if path.suffix.lower() in _TEXTS:
        raise CheckpointError(
            f"{path} is a text file, not weights; give the file of the weights (.pth or .safetensors)"
        )
    if path.suffix == ".onnx":
        raise CheckpointError(f'{path} is an ONNX network, not a table of parameters: set architecture = "onnx"')
    if path.suffix == ".safetensors" or _looks_like_safetensors(head, size):
        return _read_safetensors(path)
    return _read_pickle(path, head.startswith(b"PK"))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError, OSError, MemoryError) as error:
        raise CheckpointError(f"{path} is not a valid safetensors file: {_first_line(error)}") from error


def _check_zip(path: Path) -> None:
    """Refuse a zip that unpacks to more than it holds: ``torch.save`` never compresses."""
    try:
        with zipfile.ZipFile(path) as archive:
            declared = sum(item.file_size for item in archive.infolist())
            names = archive.namelist()
    # zipfile raises the last ones for versions, sizes and names that a damaged directory claims.
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error, EOFError, IndexError) as error:
        raise CheckpointError(f"{path} is cut short or damaged ({_first_line(error)}); download it again") from error
    for kind, inside in _PROGRAMS.items():
        if any(name.endswith(inside) for name in names):
            raise CheckpointError(
                f"{path} is a {kind} program, not a table of parameters, and loading it could run anything; export it"
                ' to ONNX (docs/models.md, "TorchScript and torch.export") and set architecture = "onnx"'
            )
    size = path.stat().st_size
    if declared > size:
        raise CheckpointError(f"{path} holds {size} bytes and declares {declared}; torch.save never compresses")


def _read_pickle(path: Path, zipped: bool) -> object:
    if zipped:
        _check_zip(path)
    try:
        with (
            warnings.catch_warnings(),
            torch.serialization.safe_globals([(_Placeholder, name) for name in _IGNORED_GLOBALS]),
        ):
            warnings.simplefilter("ignore")  # the error below states everything that matters
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        text = str(error)
        unsafe = re.search(r"GLOBAL ([\w.]+)|(?:class|function) ([\w.]+)", text)
        if "Unsupported" in text or ("weights_only" in text.lower() and unsafe):
            what = next((g for g in unsafe.groups() if g), "code") if unsafe else "code"
            raise CheckpointError(
                f"{path} is a pickle that wants to run or build {what}; it was not run. If you trust its"
                " origin, save its state_dict alone (torch.save(module.state_dict(), ...) or safetensors)"
            ) from error
        raise CheckpointError(f"{path} is no checkpoint: {_first_line(error)}") from error
    except Exception as error:  # damaged files make torch's reader raise errors of any class
        raise CheckpointError(f"{path} can't be read as a checkpoint: {_first_line(error)}") from error
    return content


def _looks_like_safetensors(head: bytes, size: int) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= size - 8
