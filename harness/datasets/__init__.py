"""Datasets: faces with their landmarks, boxes and subsets, read from annotation files.

A dataset is named by a spec, ``NAME:PATH``; :func:`load` reads it. A new kind of dataset is one module with a
:class:`~nmebench.datasets.source.DatasetSource` and one line in the registry below. Other distributions register theirs
as entry points of the group ``nmebench.datasets``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from nmebench.datasets.dataset import Dataset
from nmebench.datasets.plausibility import SUSPECT
from nmebench.datasets.source import DatasetSource
from nmebench.errors import InputError
from nmebench.geometry import own_scheme
from nmebench.geometry.scheme import Scheme
from nmebench.registry import Registry
from nmebench.suggest import unknown

__all__ = [
    "REGISTRY",
    "SPLITS",
    "SUSPECT",
    "Dataset",
    "DatasetSource",
    "describe",
    "load",
    "names",
    "photographs_sha256",
]

REGISTRY = Registry(
    "dataset",
    {
        "wflw": "nmebench.datasets.benchmark_files:WFLW",
        "300w": "nmebench.datasets.benchmark_files:W300",
        "300w-private": "nmebench.datasets.benchmark_files:W300_PRIVATE",
        "cofw": "nmebench.datasets.benchmark_files:COFW",
        "cofw68": "nmebench.datasets.benchmark_files:COFW68",
        "aflw": "nmebench.datasets.benchmark_files:AFLW",
        "lapa": "nmebench.datasets.benchmark_files:LAPA",
        "wflw-geometry": "nmebench.datasets.wflw_geometry:WFLW_GEOMETRY",
        "landmarks": "nmebench.datasets.landmarks:LANDMARKS",
        "benchmark": "nmebench.datasets.own_benchmark:OWN_BENCHMARK",
        "python": "nmebench.datasets.python_faces:PYTHON_FACES",
        # The drawing code is a layer above; it is imported when these faces are asked for.
        "synthface": "nmebench.synthface.dataset:SYNTHFACE",
    },
    group="nmebench.datasets",
)
"""The data sets: those of nmebench, and the entry points of the group ``nmebench.datasets``."""

SPLITS = ("test", "train")
"""The splits that :func:`load` accepts."""


def names() -> tuple[str, ...]:
    """Return the names of the datasets.

    Example:
        >>> names()[:7]
        ('wflw', '300w', '300w-private', 'cofw', 'cofw68', 'aflw', 'lapa')
    """
    return tuple(REGISTRY.names())


def describe(name: str) -> str:
    """Return one line about a dataset and how to write its spec.

    Raises:
        InputError: the name is unknown.

    Example:
        >>> describe("wflw")
        'wflw:PATH, WFLW in any of its formats (official lists, HRNet csv, mmpose json)'
    """
    return _source(name).summary


def load(
    spec: str,
    *,
    format: str | None = None,  # noqa: A002
    limit: int | None = None,
    split: str = "test",
    scheme: str | Scheme | None = None,
) -> Dataset:
    """Load the faces that a spec names.

    Args:
        spec: ``wflw:PATH``, ``wflw-geometry:PATH``, ``landmarks:FILE[::ARRAY]``, ``synthface`` or ``synthface:PATH``;
            PATH is the dataset's folder, its annotations' folder or one annotation file.
        format: ``official-attr``, ``official-list``, ``hrnet-csv`` or ``mmpose-json``; None to detect it from the
            file. With a folder it chooses among the files.
        limit: the number of faces to keep, counted from the start of the list; None for all.
        split: ``test`` or ``train``.
        scheme: the landmark scheme, its name or its TOML file, for ``landmarks:`` and ``python:``, which have none of
            their own; None for the one that fits.

    Raises:
        InputError: one line with the file, the line and the way out.

    Example:
        >>> load("wflv:/data/WFLW")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: unknown dataset 'wflv'; did you mean 'wflw'? (known: wflw, 300w, ...
    """
    name, colon, place = spec.partition(":")
    if name not in REGISTRY and Path(spec).exists():
        example = "benchmark" if name.endswith(".toml") else "wflw"
        raise InputError(f"{unknown('dataset', name, names())}; write NAME:PATH, such as {example}:{spec}")
    if name not in REGISTRY:
        word = re.match(r"[\w-]*", name)[0]  # type: ignore[index]
        if word != name and word in REGISTRY:
            way = "give each data set on its own" if name[len(word)] == "," else f"write {word}:PATH"
            raise InputError(f"dataset {spec!r}: {name!r} is no name; {way}")
    source = _source(name)
    if split not in SPLITS:
        raise InputError(unknown("split", split, SPLITS))
    dataset = _with_scheme(source, place if colon else None, spec, format, split, scheme)
    return dataset if limit is None else dataset.limited(limit)


def photographs_sha256(dataset: Dataset) -> str:
    """Return the hash of the content of every photograph of a dataset; empty for a dataset without photographs.

    Every photograph is read once per :class:`Dataset`; further calls return the same hash.
    """
    return dataset.photographs.sha256


def _with_scheme(
    source: DatasetSource,
    place: str | None,
    spec: str,
    format: str | None,  # noqa: A002
    split: str,
    scheme: str | Scheme | None,
) -> Dataset:
    """Load the faces with the landmark scheme that the user names, if any."""
    if scheme is None:
        return source.load(place, spec=spec, format=format, split=split)
    wanted = own_scheme.find(scheme) if isinstance(scheme, str) else scheme
    if source.with_scheme is not None:
        dataset = source.with_scheme(place, spec=spec, format=format, split=split, scheme=wanted)
        digest = own_scheme.hash_of(scheme) if isinstance(scheme, str) else None
        return dataset if digest is None else replace(dataset, files=(*dataset.files, digest))
    dataset = source.load(place, spec=spec, format=format, split=split)
    if dataset.scheme.name != wanted.name:
        own = dataset.scheme.name
        raise InputError(f"{spec}: has the landmark scheme {own}, not {wanted.name}; leave out --scheme")
    return dataset


def _source(name: str) -> DatasetSource:
    source: DatasetSource = REGISTRY.load(name).value
    return source
