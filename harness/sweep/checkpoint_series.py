"""Many checkpoints of one training: a pattern of file names becomes one network per file."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal

from nmebench.errors import InputError
from nmebench.runs.cell_id import cell_id

__all__ = ["MAX_FILES", "SUFFIXES", "expand", "step"]

MAX_FILES = 500
"""Largest number of files that a pattern may match."""

SUFFIXES = (".pth.tar", ".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".onnx")
"""Endings of weights files, which are left out of the networks' names."""

_WILDCARD = re.compile(r"[*?\[]")

_EPOCH = re.compile(r"(?:^|[^a-z])ep(?:och)?s?[ _=.-]*(\d{1,9})(?!\d)", re.IGNORECASE)
_ITERATION = re.compile(r"(?:^|[^a-z])(?:it(?:er(?:ation)?)?|step)s?[ _=.-]*(\d{1,9})(?!\d)", re.IGNORECASE)
_PLAIN = re.compile(r"(?:[a-z]+[_-])?(\d{1,7})", re.IGNORECASE)


def expand(weights: str | None) -> list[tuple[str | None, str | None]]:
    """Return the files that a pattern of weights matches, each with its name in the series.

    Args:
        weights: a file, or a pattern with ``*``, ``?`` or ``[...]``; ``**`` matches any number of folders. A file that
            exists is no pattern.

    Returns:
        (file, name), in natural order: ``epoch_9`` before ``epoch_10``. The weights themselves, without a name, if they
        are no pattern.

    Raises:
        InputError: a pattern matches no file, or too many.
    """
    if weights is None or not _WILDCARD.search(weights) or Path(weights).exists():
        return [(weights, None)]
    files = _matches(weights)
    return [(str(file), name) for file, name in zip(files, _names(files), strict=True)]


def step(name: str, own_epoch: int | None) -> tuple[Literal["epoch", "iteration"], int] | None:
    """Return the number of the epoch or iteration of a checkpoint.

    Args:
        name: the file's name: ``epoch_10``, ``ep10``, ``iter_4000``; a plain number such as ``model_10`` counts where
            the file states no epoch.
        own_epoch: the epoch that the file states.

    Returns:
        The kind of step and its number; None if neither states one.

    Example:
        >>> step("epoch=9-step=1000.ckpt", None), step("iter_40000.pth", 3)
        (('epoch', 9), ('iteration', 40000))
        >>> step("best.pth", 57), step("model_10.pth", None), step("best.pth", None)
        (('epoch', 57), ('epoch', 10), None)
    """
    stem = _stem(name)
    if match := _EPOCH.search(stem):
        return "epoch", int(match[1])
    if match := _ITERATION.search(stem):
        return "iteration", int(match[1])
    if own_epoch is not None:
        return "epoch", own_epoch
    match = _PLAIN.fullmatch(stem)
    return ("epoch", int(match[1])) if match else None


def _matches(pattern: str) -> list[Path]:
    try:
        # Path.glob takes no absolute pattern.
        names = glob.glob(str(Path(pattern).expanduser()), recursive=True)  # noqa: PTH207
    except (re.error, ValueError, OSError) as error:
        raise InputError(f"--weights {pattern!r}: no valid pattern ({error})") from error
    files = [Path(name) for name in names if Path(name).is_file()]
    if not files:
        folder = Path(_WILDCARD.split(pattern)[0]).expanduser()
        folder = folder if folder.is_dir() else folder.parent
        there = sorted(path.name for path in folder.iterdir())[:5] if folder.is_dir() else []
        text = f"{folder} holds {', '.join(there)}" if there else f"{folder} is empty or doesn't exist"
        raise InputError(f"--weights {pattern!r}: no file matches; {text}")
    if len(files) > MAX_FILES:
        raise InputError(f"--weights {pattern!r}: {len(files)} files match, allowed: {MAX_FILES}; narrow the pattern")
    return sorted(files, key=lambda path: _natural(str(path)))


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers by their value."""
    parts = re.split(r"(\d+)", text)
    return [(1, int(part), "") if number % 2 else (0, 0, part) for number, part in enumerate(parts)]


def _stem(name: str) -> str:
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)] or name


def _names(files: Sequence[Path]) -> list[str]:
    """A different name for each file, also as part of a cell's id, which keeps fewer characters."""
    common = Path(os.path.commonpath([file.parent for file in files]))
    names = ["/".join([*file.relative_to(common).parent.parts, _stem(file.name)]) for file in files]
    for better in ("name", "hash"):
        counts = Counter(cell_id(name, "", "", "") for name in names)
        twice = [counts[cell_id(name, "", "", "")] > 1 for name in names]
        for number, file in enumerate(files):
            if twice[number]:
                digest = sha256(str(file).encode("utf-8", "surrogateescape")).hexdigest()[:6]
                names[number] = file.name if better == "name" else f"{names[number]}-{digest}"
    return names
