"""The faces of a run as arrays, and their file ``faces.parquet``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from nmebench.datasets.paged_array import paged
from nmebench.datasets.plausibility import without_position
from nmebench.runs.run_files import damaged
from nmebench.runs.stored_table import StoredTable, opened_table, write_groups

__all__ = ["FaceTable", "read_faces", "write_faces"]

_FILE: Final = "faces.parquet"

_GROUP: Final = 4096
"""Faces of a group of rows."""

#: Columns of float64, one number per face.
_NUMBERS: Final = ("normaliser", "centre_x", "centre_y", "size_x", "size_y")

#: Columns of flags of the landmarks, present only where the annotations tell.
_OCCLUDED: Final = "occluded"
_LABELLED: Final = "labelled"

#: The names of photographs as bytes, present only where one is not UTF-8; ``image`` then has ``\xff`` for such a byte.
_NAME_BYTES: Final = "image_bytes"

#: Begin of the name of a subset's column.
_SUBSET: Final = "subset_"

#: Begin of the name of the column of a normaliser that the run can be scored with.
_LENGTH: Final = "normaliser_"

_POINTS: Final = pa.list_(pa.list_(pa.float64()))
"""Type of the landmarks: K lists of x and y."""


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

    def __repr__(self) -> str:
        """Return one line: the numbers of faces and landmarks, and the subsets."""
        return f"<FaceTable: {len(self)} faces, {self.landmarks.shape[1]} landmarks, subsets {', '.join(self.subsets)}>"

    @cached_property
    def clusters(self) -> np.ndarray:
        """int ``[N]``: the number of each face's photograph. Faces of one photograph are not independent."""
        numbers = {name: number for number, name in enumerate(sorted(set(self.image)))}
        return np.fromiter((numbers[name] for name in self.image), np.int64, len(self.image))


def write_faces(run: Path, faces: FaceTable) -> None:
    """Write ``faces.parquet``.

    Args:
        run: the run folder; it must exist.
        faces: the N faces.
    """
    labelled = ~without_position(faces.landmarks)
    flags = {_OCCLUDED: faces.occluded, _LABELLED: None if labelled.all() else labelled}
    names_are_text = all(_is_text(name) for name in set(faces.image))
    groups = _groups(faces, flags, names_are_text=names_are_text)
    first = next(groups)
    write_groups(run, _FILE, first.schema, _chained(first, groups))


def _chained(first: pa.Table, others: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from others


def _groups(faces: FaceTable, flags: Mapping[str, np.ndarray | None], *, names_are_text: bool) -> Iterator[pa.Table]:
    """Yield the faces as groups of rows; a table without faces as one of no rows."""
    for start in range(0, max(1, len(faces)), _GROUP):
        rows = slice(start, min(start + _GROUP, len(faces)))
        images = faces.image[rows]
        columns: dict[str, Any] = {
            "face": np.arange(rows.start, rows.stop, dtype=np.int64),
            "line": np.asarray(faces.line[rows], np.int64),
            "image": pa.array([_encoded(name).decode("utf-8", "backslashreplace") for name in images], pa.string()),
        }
        if not names_are_text:
            columns[_NAME_BYTES] = pa.array([_encoded(name) for name in images], pa.binary())
        columns |= {
            "normaliser": np.asarray(faces.normaliser[rows], np.float64),
            "centre_x": faces.centre[rows, 0],
            "centre_y": faces.centre[rows, 1],
            "size_x": faces.size[rows, 0],
            "size_y": faces.size[rows, 1],
            **{f"{_SUBSET}{name}": np.asarray(mask[rows], bool) for name, mask in faces.subsets.items()},
            **{f"{_LENGTH}{name}": np.asarray(length[rows], np.float64) for name, length in faces.normalisers.items()},
            "landmarks": _lists(np.asarray(faces.landmarks[rows], np.float64)),
        }
        columns |= {
            name: _lists(np.asarray(values[rows], bool)) for name, values in flags.items() if values is not None
        }
        yield pa.table(columns)


def _is_text(name: str) -> bool:
    """Return whether a name of a photograph is UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encoded(name: str) -> bytes:
    """The bytes of a name of a photograph on the disk."""
    return name.encode("utf-8", "surrogateescape")


def _lists(values: np.ndarray) -> pa.Array:
    """An array ``[N, K]`` or ``[N, K, 2]`` as N lists, without a Python object per number."""
    lists = pa.array(np.ascontiguousarray(values).reshape(-1))
    count = values.size
    for length in values.shape[:0:-1]:
        count //= max(1, length)
        lists = pa.ListArray.from_arrays(pa.array(np.arange(count + 1, dtype=np.int32) * length), lists)
    return lists


def _array(column: pa.ChunkedArray) -> np.ndarray | None:
    """The reverse of :func:`_lists`; None where the lists have several lengths or a number is missing."""
    values = column.combine_chunks()
    shape = [len(values)]
    while pa.types.is_list(values.type):
        lengths = np.unique(values.value_lengths().to_numpy(zero_copy_only=False))
        if values.null_count or len(lengths) > 1:
            return None
        shape.append(int(lengths[0]) if len(lengths) else 0)
        values = values.flatten()
    if values.null_count:
        return None
    return np.asarray(values.to_numpy(zero_copy_only=False).reshape(shape))


def _landmarks(column: pa.ChunkedArray) -> np.ndarray | None:
    """The landmarks ``[N, K, 2]`` of some faces; None for another form.

    Runs of schema 1 and 2 have one list of x0, y0, x1, y1, ... per face.
    """
    found = _array(column)
    if found is not None and found.ndim == 2 and found.shape[1] % 2 == 0:
        found = found.reshape(len(found), found.shape[1] // 2, 2)
    if found is None or found.ndim != 3 or found.shape[2] not in (2, 0) or found.dtype != np.float64:
        return None
    return found


def read_faces(run: Path, count: int) -> FaceTable:
    """Return the content of ``faces.parquet``.

    Args:
        run: the run folder.
        count: N, the number of faces that ``run.json`` states.

    Raises:
        InputError: the file can't be read, or its faces are not N faces of one form with finite labelled landmarks.
    """
    kinds = dict.fromkeys(_NUMBERS, pa.types.is_float64)
    kinds |= {"line": pa.types.is_int64, "image": _is_name, "landmarks": pa.types.is_list}
    with opened_table(run, _FILE, kinds) as table:
        if table.rows != count:
            raise damaged(run, _FILE, f"has {table.rows} faces, run.json has {count}")
        why = _wrong_types(table)
        if why is not None:
            raise damaged(run, _FILE, why)
        try:
            return _gather(table)
        except MemoryError as error:
            raise damaged(run, _FILE, "takes more memory than there is") from error


def _is_name(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _wrong_types(table: StoredTable) -> str | None:
    """Describe the first fault in the types of the optional columns; None without one."""
    for name in table.names:
        kind = table.column_type(name)
        if name.startswith(_SUBSET) and not pa.types.is_boolean(kind):
            return "a subset is not true or false"
        if name.startswith(_LENGTH) and not pa.types.is_float64(kind):
            return "a normaliser is not a number"
        if name in (_OCCLUDED, _LABELLED) and kind != pa.list_(pa.bool_()):
            return "the flags of its landmarks don't have one form"
        if name == _NAME_BYTES and not pa.types.is_binary(kind):
            return "the bytes of a name are not bytes"
    return None


def _gather(table: StoredTable) -> FaceTable:
    """Read all groups of rows into arrays of their final size."""
    count = table.rows
    arrays: dict[str, np.ndarray] = {}
    names: dict[Any, str] = {}
    images: list[str] = []
    done = 0
    for group in table.groups():
        rows = slice(done, done + group.num_rows)
        done = rows.stop
        for name, values in _group_arrays(table, group).items():
            if name not in arrays:
                arrays[name] = np.empty((count, *values.shape[1:]), values.dtype)
            whole = arrays[name]
            if rows.stop > count or whole.shape[1:] != values.shape[1:]:
                raise damaged(table.run, _FILE, f"the {name} of its faces don't have one form")
            whole[rows] = values
        stored = group.column(_NAME_BYTES if _NAME_BYTES in group.column_names else "image").to_pylist()
        # One text for all faces of a photograph.
        images += [names.setdefault(name, name if isinstance(name, str) else _decoded(name)) for name in stored]
    zeros = np.zeros(count)
    flags = {name: arrays[name] for name in (_OCCLUDED, _LABELLED) if name in arrays}
    number = {name: arrays.get(name, zeros) for name in (*_NUMBERS, "line")}
    return FaceTable(
        image=tuple(images),
        line=number["line"],
        landmarks=paged(arrays.pop("landmarks", np.zeros((count, 0, 2)))),
        normaliser=number["normaliser"],
        subsets={name.removeprefix(_SUBSET): value for name, value in arrays.items() if name.startswith(_SUBSET)},
        centre=np.stack([number["centre_x"], number["centre_y"]], axis=1),
        size=np.stack([number["size_x"], number["size_y"]], axis=1),
        occluded=flags.get(_OCCLUDED),
        normalisers={name.removeprefix(_LENGTH): value for name, value in arrays.items() if name.startswith(_LENGTH)},
    )


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _group_arrays(table: StoredTable, group: pa.Table) -> dict[str, np.ndarray]:
    """The arrays of a group of rows, by column.

    Raises:
        InputError: lists have several lengths, a value is missing, or a labelled landmark is not finite.
    """
    landmarks = _landmarks(group.column("landmarks"))
    if landmarks is None:
        raise damaged(table.run, _FILE, "the landmarks of its faces don't have one form")
    found = {"landmarks": landmarks}
    for name in group.column_names:
        column = group.column(name)
        if name in (_OCCLUDED, _LABELLED):
            flags = _array(column)
            if flags is None or flags.shape != landmarks.shape[:2]:
                raise damaged(table.run, _FILE, "the flags of its landmarks don't have one form")
            found[name] = flags
        elif name in (*_NUMBERS, "line") or name.startswith((_SUBSET, _LENGTH)):
            if column.null_count:
                what = "a subset is not true or false" if name.startswith(_SUBSET) else "a normaliser is not a number"
                raise damaged(table.run, _FILE, what)
            found[name] = column.to_numpy()
        elif name == _NAME_BYTES and column.null_count:
            raise damaged(table.run, _FILE, "the bytes of a name are missing")
    known = found.get(_LABELLED, np.ones(landmarks.shape[:2], bool))
    if not np.isfinite(landmarks[known]).all() or not np.isnan(landmarks[~known]).all():
        raise damaged(table.run, _FILE, "a landmark is not a finite number")
    return found
