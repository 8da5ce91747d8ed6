"""Datasets: annotation files to faces. ``load("wflw:PATH")`` is the way in."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from nmebench.datasets import wflw
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.readers import landmarks_npz, wflw_geometry
from nmebench.errors import InputError
from nmebench.suggest import unknown

__all__ = ["Dataset", "describe", "load", "names"]

_SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "wflw": "wflw:PATH, WFLW in any of its formats (official lists, HRNet csv, mmpose json)",
        "wflw-geometry": "wflw-geometry:PATH, real WFLW landmarks without photographs (npz)",
        "landmarks": "landmarks:FILE.npz[::ARRAY], ground truth of any scheme, for scoring other programs' landmarks",
        "synthface": "synthface or synthface:PATH, drawn faces with exact landmarks, laid out as WFLW",
    }
)
_SYNTHFACE_COUNTS: Mapping[str, Mapping[str, int]] = {
    "test": {
        "test": 500,
        "pose": 65,
        "expression": 63,
        "illumination": 140,
        "makeup": 41,
        "occlusion": 147,
        "blur": 155,
    }
}


def names() -> tuple[str, ...]:
    """The datasets."""
    return tuple(_SUMMARIES)


def describe(name: str) -> str:
    """One line on a dataset and how to write it; InputError for an unknown one."""
    _check_name(name, name)
    return _SUMMARIES[name]


def load(
    spec: str,
    *,
    format: str | None = None,  # noqa: A002
    limit: int | None = None,
    split: str = "test",
) -> Dataset:
    """The faces that ``NAME:PATH`` means.

    :param spec: ``wflw:PATH``, ``wflw-geometry:PATH``, ``synthface`` or ``synthface:PATH``; PATH is the dataset's
        folder, its annotations' folder or one annotation file.
    :param format: ``official-attr``, ``official-list``, ``hrnet-csv`` or ``mmpose-json``; seen from the file when
        None. With a folder it chooses among the files.
    :param limit: only the first faces.
    :param split: ``test`` or ``train``.
    :raises InputError: one line with the file, the line and the way out.
    """
    name, colon, place = spec.partition(":")
    _check_name(name, spec)
    if split not in ("test", "train"):
        raise InputError(f"unknown split {split!r}: known are test, train")
    wflw.known_format(format)
    path = Path(place).expanduser() if place else None
    if path is None and (colon or name != "synthface"):
        raise InputError(f"{spec!r} does not say where the files are: write {name}:PATH")
    if name == "landmarks":
        if format is not None or split != "test":
            raise InputError("landmarks has one format and the split test only")
        dataset = landmarks_npz.load(place, spec=spec)
    elif name == "wflw-geometry":
        if format is not None or split != "test":
            raise InputError("wflw-geometry has one format and the split test only")
        dataset = wflw_geometry.load(_there(path), spec=spec)
    elif name == "synthface":
        where = _cached_synthface(split) if path is None else path
        dataset = wflw.load(_there(where), spec=spec, name=name, format=format, split=split, expected=_SYNTHFACE_COUNTS)
    else:
        dataset = wflw.load(_there(path), spec=spec, format=format, split=split)
    return dataset if limit is None else dataset.limited(limit)


def _check_name(name: str, spec: str) -> None:
    """InputError unless the dataset is known."""
    if name in _SUMMARIES:
        return
    message = unknown("dataset", name, names())
    if Path(spec).exists():
        message += f"; write NAME:PATH, such as wflw:{spec}"
    raise InputError(message)


def _there(path: Path | None) -> Path:
    """The path, which must exist."""
    if path is None or not path.exists():
        raise InputError(f"{path} does not exist")
    return path


def _cached_synthface(split: str) -> Path:
    """The folder of the drawn faces, made on demand."""
    if split != "test":
        raise InputError("synthface without a path is its test split: draw a training split and name its folder")
    # Imported here: drawing faces is a world of its own that reading real ones does not need.
    module = importlib.import_module("nmebench.synthface")
    return Path(module.cached())
