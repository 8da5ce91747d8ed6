"""Loads checkpoints from any origin: executes nothing in the file and loads all parameters or none.

The formats are ``torch.save`` (read with ``weights_only=True``, so that a pickle can only rebuild tensors and plain
values) and safetensors; the content decides which. float16, bfloat16 and float64 become float32. The numpy values and
histories that mmcv and mmengine store with the parameters are skipped without being built.
"""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from nmebench.files import file_sha256
from nmebench.models.checkpoint_file import check_file
from nmebench.models.errors import CheckpointError
from nmebench.models.hash_in_name import hash_in_name
from nmebench.models.naming import Naming

__all__ = ["LoadedCheckpoint", "load", "read", "verify"]

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys under which training code stores the parameters."""

MAX_WRAPPERS = 4
"""Largest number of nested wrappers around the parameters."""

MAX_LISTED = 3
"""Largest number of parameter names that an error lists."""

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


class _Placeholder:
    """Replaces each of ``_IGNORED_GLOBALS`` while a checkpoint is read: accepts any argument and does nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


@dataclass(frozen=True, slots=True)
class LoadedCheckpoint:
    """The result of loading a checkpoint."""

    sha256: str
    """SHA-256 of the file."""
    naming: str
    """The code base whose parameter names the file uses."""
    renamed: Mapping[str, int]
    """Number of renamed parameters by ``"their prefix -> our prefix"``."""
    counters_missing: int
    """Number of absent ``num_batches_tracked`` of BatchNorms; they don't affect the output."""


def verify(path: Path, *, sha256: str | None = None, hash_prefix: str | None = None) -> str:
    """Check a file against its expected hashes and the hash in its own name, and return its SHA-256.

    Args:
        path: the file.
        sha256: the card's SHA-256 of the file, if the card states one.
        hash_prefix: the card's first digits of the SHA-256, if the card states them.

    Raises:
        CheckpointError: the file is missing, empty, not a regular file or too large, or has another hash.
    """
    check_file(path)
    try:
        found = file_sha256(path)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}") from error
    wanted = [(sha256, "the card"), (hash_prefix, "the card"), (hash_in_name(path.name), "its name")]
    for prefix, where in wanted:
        if prefix is not None and not found.startswith(prefix.lower()):
            raise CheckpointError(
                f"{path} is damaged or another file: its sha256 begins with {found[: len(prefix)]},"
                f" {where} says {prefix}; download it again"
            )
    return found


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
    # zipfile raises the last ones for versions, sizes and names that a damaged directory claims.
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error, EOFError, IndexError) as error:
        raise CheckpointError(f"{path} is cut short or damaged ({_first_line(error)}); download it again") from error
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


def _unwrap(content: object, path: Path) -> dict[str, Tensor]:
    """The parameters inside a checkpoint's wrappers, without the prefix ``module.``."""
    for _ in range(MAX_WRAPPERS):  # bounded, because a pickle may contain itself
        if not isinstance(content, Mapping) or any(isinstance(v, Tensor) for v in content.values()):
            break
        content = next((content[w] for w in WRAPPERS if isinstance(content.get(w), Mapping)), content)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds no parameters (it holds a {type(content).__name__})")
    if not content:
        raise CheckpointError(f"{path} holds no parameters (its table is empty)")
    others = [str(k) for k, v in content.items() if not (isinstance(k, str) and isinstance(v, Tensor))]
    if others:
        raise CheckpointError(f"{path} holds values among its parameters that are not tensors: {_first(others)}")
    tensors: dict[str, Tensor] = dict(content)
    for prefix in ("module.", "_orig_mod.", "module."):
        if all(k.startswith(prefix) for k in tensors):
            tensors = {k.removeprefix(prefix): v for k, v in tensors.items()}
    return tensors


def read(path: str | Path) -> dict[str, Tensor]:
    """Read all tensors of a checkpoint by name, without wrappers and ``module.``; nothing in the file is executed.

    Raises:
        CheckpointError: the file is no checkpoint, is damaged, or would run code.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "weights.pth"
        ...     torch.save({"state_dict": {"module.bias": torch.zeros(2)}}, file)
        ...     read(file)
        {'bias': tensor([0., 0.])}
    """
    path = Path(path)
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
    if path.suffix == ".safetensors" or _looks_like_safetensors(head, size):
        return _unwrap(_read_safetensors(path), path)
    return _unwrap(_read_pickle(path, head.startswith(b"PK")), path)


def _looks_like_safetensors(head: bytes, size: int) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= size - 8


def _first(names: Sequence[str]) -> str:
    """The first three names and the number of others, such as ``a, b, c and 2 more``."""
    others = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {others} more" if others > 0 else "")


def _first_are(names: Sequence[str]) -> str:
    """:func:`_first` and the verb: ``a is``, ``a, b are``."""
    return f"{_first(names)} {'is' if len(names) == 1 else 'are'}"


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def _rename(tensors: Mapping[str, Tensor], naming: Naming) -> tuple[dict[str, Tensor], dict[str, int], list[str]]:
    """The tensors by our names, the number of uses of each prefix rule, and the names that two tensors share."""
    renamed: dict[str, Tensor] = {}
    rules: dict[str, int] = {}
    twice: list[str] = []
    for key, tensor in tensors.items():
        ours, rule = naming.translate(key)
        if ours in renamed:
            twice.append(ours)
        renamed[ours] = tensor
        if rule is not None:
            text = f"{rule[0] or '(nothing)'} -> {rule[1]}"
            rules[text] = rules.get(text, 0) + 1
    return renamed, rules, twice


def _differences(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
    """The names that are missing from ``given`` (BatchNorm counters excepted), and those that only ``given`` has."""
    missing = [k for k in wanted if k not in given and not _is_counter(k)]
    return missing, [k for k in given if k not in wanted]


def _check_values(path: Path, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Check shapes, then types, then values, and return the tensors with the wanted types.

    Shapes come first because a tensor in a file can claim any size without holding that much data.
    """
    shapes = [
        f"{k} {list(t.shape)} (wanted {list(wanted[k].shape)})" for k, t in given.items() if t.shape != wanted[k].shape
    ]
    if shapes:
        raise CheckpointError(f"{path} is for another network: {_first_are(shapes)} of another shape")
    values: dict[str, Tensor] = {}
    for key, tensor in given.items():
        target = wanted[key]
        same_kind = tensor.is_floating_point() == target.is_floating_point() and not tensor.is_complex()
        if not same_kind or tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise CheckpointError(f"{path}: {key} is {tensor.dtype} ({tensor.layout}), wanted {target.dtype}")
        values[key] = tensor.detach().to(target.dtype)
    bad = [k for k, v in values.items() if not bool(torch.isfinite(v).all())]
    if bad:
        raise CheckpointError(f"{path} can't be used: {_first_are(bad)} NaN or infinite")
    negative = [k for k, v in values.items() if k.endswith("running_var") and bool((v < 0).any())]
    if negative:
        raise CheckpointError(f"{path} can't be used: {_first_are(negative)} below 0, and a variance can't be")
    return values


def load(
    module: nn.Module, path: str | Path, *, sha256: str | None = None, hash_prefix: str | None = None
) -> LoadedCheckpoint:
    """Load a checkpoint into a network strictly: exactly its parameters, with their shapes and finite values.

    ``module.namings`` lists the code bases whose parameter names are understood. The naming with the fewest differences
    is used and reported.

    Args:
        module: the network; it is changed only if the complete file is valid.
        path: the file.
        sha256: the expected SHA-256 of the file, if known.
        hash_prefix: the first digits of the expected SHA-256, if known.

    Raises:
        CheckpointError: the file can't be loaded; one line names the file and the first problems.
    """
    path = Path(path)
    found = verify(path, sha256=sha256, hash_prefix=hash_prefix)
    tensors = read(path)
    wanted: Mapping[str, Tensor] = module.state_dict()
    namings: Sequence[Naming] = getattr(module, "namings", ()) or (Naming("own", ()),)
    candidates: list[tuple[int, Naming, Any]] = []
    for naming in namings:
        given, rules, twice = _rename(tensors, naming)
        missing, unexpected = _differences(wanted, given)
        candidates.append((len(missing) + len(unexpected) + len(twice), naming, (given, rules, twice)))
    problems, naming, (given, rules, twice) = min(candidates, key=lambda candidate: candidate[0])
    if problems:
        missing, unexpected = _differences(wanted, given)
        parts = [f"{_first_are(missing)} missing"] if missing else []
        parts += [f"{_first_are(unexpected)} unexpected"] if unexpected else []
        parts += [f"{_first_are(twice)} given twice"] if twice else []
        names = f" (read with the names of {naming.name})" if len(namings) > 1 else ""
        raise CheckpointError(
            f"{path} doesn't fit {type(module).__name__}{names}: {'; '.join(parts)}"
            f" ({len(missing)} missing, {len(unexpected)} unexpected of {len(wanted)})"
        )
    values = _check_values(path, wanted, given)
    missing_counters = [k for k in wanted if k not in values]
    for key in missing_counters:
        values[key] = wanted[key]
    module.load_state_dict(values, strict=True)
    return LoadedCheckpoint(found, naming.name, rules, len(missing_counters))
