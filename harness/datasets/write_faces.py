"""Writes a data set in nmebench's own format: a json of faces, and the TOML file that defines it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from nmebench.datasets import benchmark as benchmarks
from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.geometry import own_scheme
from nmebench.geometry import scheme as schemes
from nmebench.printable import shown

__all__ = ["write"]


def write(dataset: Dataset, folder: Path, name: str, *, arrays: bool = False) -> Path:
    """Write ``NAME.json`` and ``NAME.toml`` so that ``benchmark:FOLDER/NAME.toml`` gives the same faces.

    Coordinates keep every digit. Photographs are not copied: the json names them relative to the data set's folder of
    photographs, so put ``FOLDER/images`` (a link is enough) beside it.

    Args:
        dataset: any data set.
        folder: an existing or new folder.
        name: the new name; it must not be that of one of nmebench's data sets.
        arrays: whether to write ``NAME.npz`` too, so that ``benchmark:FOLDER/NAME.toml::FOLDER/NAME.npz`` gives the
            same faces.

    Returns:
        The path of the TOML file.

    Raises:
        InputError: the name has other characters than a-z, 0-9 and -, or belongs to nmebench; a subset's name can't be
            written; or a file of that name exists.
    """
    table = _definition(dataset, name, f"{name}.json")
    benchmarks.check_own_name(benchmarks.validate(table, f"{shown(name)}.toml").name, f"{name}.toml")
    definition, annotations, archive = (folder / f"{name}{ending}" for ending in (".toml", ".json", ".npz"))
    for file in (definition, annotations, *([archive] if arrays else [])):
        if file.exists():
            raise InputError(f"{shown(file)} exists; choose another name or folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(annotations, json.dumps({"faces": list(_faces(dataset))}, ensure_ascii=False, indent=1) + "\n")
    if arrays:
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **_arrays(dataset))
        write_atomically(archive, stream.getvalue())
    write_atomically(definition, tomli_w.dumps(table))
    return definition


def _faces(dataset: Dataset) -> Iterator[dict[str, Any]]:
    subsets = {name: mask for name, mask in dataset.subsets.items() if name != dataset.split}
    for face, image in enumerate(dataset.images):
        entry: dict[str, Any] = {"image": image, "landmarks": _positions(dataset, face)}
        if dataset.occluded is not None:
            entry["occluded"] = np.flatnonzero(dataset.occluded[face]).tolist()
        if subsets:
            entry["subsets"] = [name for name, mask in subsets.items() if mask[face]]
        if dataset.rect is not None:
            entry["box"] = dataset.rect[face].tolist()
        if dataset.centre_scale is not None:
            entry["centre_scale"] = dataset.centre_scale[face].tolist()
        yield entry


def _arrays(dataset: Dataset) -> dict[str, NDArray[Any]]:
    """Return the faces as arrays, with the names that :mod:`nmebench.datasets.landmarks` reads."""
    optional = {"occluded": dataset.occluded, "box": dataset.rect, "centre_scale": dataset.centre_scale}
    return {
        "landmarks": dataset.landmarks,
        "images": np.array(dataset.images, dtype=np.str_),
        **({} if dataset.labelled.all() else {"labelled": dataset.labelled}),
        **{name: array for name, array in optional.items() if array is not None},
        **{f"subset_{name}": mask for name, mask in dataset.subsets.items() if name != dataset.split},
    }


def _positions(dataset: Dataset, face: int) -> list[list[float] | None]:
    """Return x, y of each landmark, and None for one that is not labelled."""
    return [
        point if known else None
        for point, known in zip(dataset.landmarks[face].tolist(), dataset.labelled[face].tolist(), strict=True)
    ]


def _definition(dataset: Dataset, name: str, annotations: str) -> dict[str, Any]:
    scheme = dataset.scheme
    known = scheme.name in schemes.names()
    return {
        "name": name,
        "title": name,
        **({} if dataset.labelled.all() else {"unlabelled": "exclude"}),
        **({} if dataset.occluded is None else {"occlusion": True}),
        **({} if dataset.usual_normaliser is None else {"normaliser": dataset.usual_normaliser}),
        "thresholds": list(dataset.thresholds),
        **({} if dataset.origin is None else {"origins": dict.fromkeys(("faces-json", "arrays-npz"), dataset.origin)}),
        "scheme": scheme.name if known else own_scheme.table(scheme),
        "files": {"test": {"faces-json": annotations}},
        "counts": {"test": {"test": len(dataset), **_counts(dataset)}},
    }


def _counts(dataset: Dataset) -> dict[str, int]:
    return {
        name: int(mask.sum()) for name, mask in dataset.subsets.items() if name != dataset.split and bool(mask.any())
    }
