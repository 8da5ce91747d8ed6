"""The faces of a run as arrays, and their file ``faces.parquet``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from nmebench.runs import run_files

__all__ = ["FaceTable", "read_faces", "write_faces"]

_FILE: Final = "faces.parquet"

#: Columns of float64, one number per face.
_NUMBERS: Final = ("normaliser", "centre_x", "centre_y", "size_x", "size_y")

#: Columns of flags of the landmarks, present only where the annotations tell.
_OCCLUDED: Final = "occluded"
_LABELLED: Final = "labelled"

#: Begin of the name of a subset's column.
_SUBSET: Final = "subset_"

#: Begin of the name of the column of a normaliser that the run can be scored with.
_LENGTH: Final = "normaliser_"


@dataclass(frozen=True)
class FaceTable:
    """The N faces of a run as arrays."""

    image: Sequence[str]
    """``[N]``: the image's path as the annotation file names it."""
    line: np.ndarray
    """int ``[N]``: the 1-based line, or position, in the annotation file."""
    landmarks: np.ndarray
    """``[N, K, 2]`` image px: the ground truth; NaN for a landmark that is not labelled."""
    normaliser: np.ndarray
    """``[N]`` image px: the distance by which errors are divided."""
    subsets: Mapping[str, np.ndarray]
    """bool ``[N]`` by subset."""
    centre: np.ndarray
    """``[N, 2]`` image px: centre of the box of the run's first box rule."""
    size: np.ndarray
    """``[N, 2]`` image px: width and height of that box, padding included."""
    occluded: np.ndarray | None = None
    """bool ``[N, K]``: whether each landmark is occluded; None where the annotations don't tell."""
    normalisers: Mapping[str, np.ndarray] = field(default_factory=dict)
    """``[N]`` image px by name: all normalisers that the annotations give; empty in runs of schema 1."""

    def __len__(self) -> int:
        """The number of faces."""
        return len(self.image)

    @cached_property
    def clusters(self) -> np.ndarray:
        """int ``[N]``: the number of each face's photograph. Faces of one photograph are not independent."""
        return np.unique(np.asarray(self.image, dtype=object).astype(str), return_inverse=True)[1]


def write_faces(run: Path, faces: FaceTable) -> None:
    """Write ``faces.parquet``.

    Args:
        run: the run folder; it must exist.
        faces: the N faces.
    """
    flat = pa.array(np.asarray(faces.landmarks, np.float64).reshape(len(faces), -1).tolist(), pa.list_(pa.float64()))
    columns: dict[str, Any] = {
        "face": np.arange(len(faces), dtype=np.int64),
        "line": np.asarray(faces.line, np.int64),
        "image": pa.array([os.fsencode(i) for i in faces.image], pa.binary()),
        "normaliser": np.asarray(faces.normaliser, np.float64),
        "centre_x": faces.centre[:, 0],
        "centre_y": faces.centre[:, 1],
        "size_x": faces.size[:, 0],
        "size_y": faces.size[:, 1],
        **{f"{_SUBSET}{name}": np.asarray(mask, bool) for name, mask in faces.subsets.items()},
        **{f"{_LENGTH}{name}": np.asarray(length, np.float64) for name, length in faces.normalisers.items()},
        "landmarks": flat,
    }
    if faces.occluded is not None:
        columns[_OCCLUDED] = _flags(faces.occluded)
    labelled = ~np.isnan(faces.landmarks).any(axis=2)
    if not labelled.all():
        columns[_LABELLED] = _flags(labelled)
    run_files.write_table(run, _FILE, pa.table(columns))


def _flags(values: np.ndarray) -> pa.Array:
    return pa.array(np.asarray(values, bool).tolist(), pa.list_(pa.bool_()))


def _read_flags(column: Mapping[str, Any], name: str, shape: tuple[int, int]) -> np.ndarray | None:
    """Return a column of flags ``[N, K]``; None if there is no such column, or it has another form."""
    if name not in column or column[name].type != pa.list_(pa.bool_()):
        return None
    values = column[name].combine_chunks()
    flat = values.flatten()
    lengths = values.value_lengths().to_numpy(zero_copy_only=False)
    if flat.null_count or not np.array_equal(lengths, np.full(shape[0], shape[1])):
        return None
    return np.asarray(flat.to_numpy(zero_copy_only=False), bool).reshape(shape)


def read_faces(run: Path, count: int) -> FaceTable:
    """Return the content of ``faces.parquet``.

    Args:
        run: the run folder.
        count: N, the number of faces that ``run.json`` states.

    Raises:
        InputError: the file can't be read, or its faces are not N faces of one form with finite labelled landmarks.
    """
    columns = dict.fromkeys(_NUMBERS, pa.types.is_float64)
    columns |= {"line": pa.types.is_int64, "image": pa.types.is_binary, "landmarks": pa.types.is_list}
    table = run_files.read_table(run, _FILE, columns)
    column = {name: table.column(name) for name in table.column_names}
    coordinates = column["landmarks"].combine_chunks()
    flat = coordinates.flatten()
    lengths = np.unique(coordinates.value_lengths().to_numpy(zero_copy_only=False))
    shape = (table.num_rows, int(lengths[0]) // 2 if len(lengths) else 0)
    occluded, labelled = (_read_flags(column, name, shape) for name in (_OCCLUDED, _LABELLED))
    why = None
    if table.num_rows != count:
        why = f"has {table.num_rows} faces, run.json has {count}"
    elif not pa.types.is_float64(flat.type) or flat.null_count or len(lengths) > 1 or (lengths % 2).any():
        why = "the landmarks of its faces don't have one form"
    elif any(name.startswith(_SUBSET) and not pa.types.is_boolean(c.type) for name, c in column.items()):
        why = "a subset is not true or false"
    elif any(name.startswith(_LENGTH) and not _all_floats(c) for name, c in column.items()):
        why = "a normaliser is not a number"
    elif any(name in column and flags is None for name, flags in ((_OCCLUDED, occluded), (_LABELLED, labelled))):
        why = "the flags of its landmarks don't have one form"
    elif not _finite_where(flat.to_numpy(zero_copy_only=False), labelled):
        why = "a landmark is not a finite number"
    if why is not None:
        raise run_files.damaged(run, _FILE, why)
    return FaceTable(
        image=tuple(os.fsdecode(i) for i in column["image"].to_pylist()),
        line=column["line"].to_numpy(),
        landmarks=flat.to_numpy(zero_copy_only=False).reshape(table.num_rows, -1, 2),
        normaliser=column["normaliser"].to_numpy(),
        subsets={name.removeprefix(_SUBSET): c.to_numpy() for name, c in column.items() if name.startswith(_SUBSET)},
        centre=np.stack([column["centre_x"].to_numpy(), column["centre_y"].to_numpy()], axis=1),
        size=np.stack([column["size_x"].to_numpy(), column["size_y"].to_numpy()], axis=1),
        occluded=occluded,
        normalisers={n.removeprefix(_LENGTH): c.to_numpy() for n, c in column.items() if n.startswith(_LENGTH)},
    )


def _all_floats(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_float64(column.type) and not column.null_count)


def _finite_where(flat: np.ndarray, labelled: np.ndarray | None) -> bool:
    """Return whether the coordinates are finite where a landmark is labelled, and NaN elsewhere."""
    if labelled is None:
        return bool(np.isfinite(flat).all())
    known = np.repeat(labelled.reshape(-1), 2)
    return bool(np.isfinite(flat[known]).all() and np.isnan(flat[~known]).all())
