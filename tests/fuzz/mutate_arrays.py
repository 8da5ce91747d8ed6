"""Mutations of npy, npz and parquet files that know their structure."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mutate_archives import write_zip  # isort: skip
from mutations import INTEGERS, NUMBERS, TEXTS, mutate_bytes  # isort: skip

__all__ = ["mutate_npy", "mutate_npz", "mutate_parquet"]


TYPES = (
    "<f2",
    "<f4",
    "<f8",
    ">f8",
    ">f4",
    "<i1",
    "<i8",
    "<u1",
    "<u8",
    "?",
    "<c16",
    "<U5",
    "S3",
    "<M8[s]",
    "<m8[ns]",
    "V8",
    "<f16",
    "O",
)


def _array(array: np.ndarray, draw: Random) -> np.ndarray:
    """Change the type, shape, order or values of an array."""
    kind = draw.randrange(9)
    try:
        if kind == 0:
            return array.astype(draw.choice(TYPES))
        if kind == 1:
            shape = list(array.shape)
            change = draw.randrange(6)
            if change == 0:
                return array[..., None]
            if change == 1:
                return array.reshape(-1)
            if change == 2:
                return array.T
            if change == 3 and shape:
                return array[:0] if draw.random() < 0.5 else array[..., :0]
            if change == 4 and shape:
                return array[:-1] if draw.random() < 0.5 else array[..., :-1]
            return np.concatenate([array] * 3)
        if kind == 2 and array.dtype.kind == "f" and array.size:
            values = array.copy()
            index = draw.randrange(array.size)
            values.flat[index] = draw.choice((np.nan, np.inf, -np.inf, 1e300, -1e300, 5e-324, 1e9, -0.0))
            return values
        if kind == 3:
            return np.asfortranarray(array)
        if kind == 4:
            return np.asarray(draw.choice((0, 1.5, "x", True, b"", np.nan, 10**30)))
        if kind == 5:
            return np.zeros(array.shape, [("x", "<f8"), ("y", "<f8")])
        if kind == 6 and array.dtype.kind in "US" and array.size:
            values = array.astype(object)
            values.flat[draw.randrange(array.size)] = draw.choice(TEXTS)[:200]
            return values.astype("U")
        if kind == 7:
            return np.zeros((0, *array.shape[1:]), array.dtype)
        return np.broadcast_to(array, (1, *array.shape)).copy()
    except (TypeError, ValueError, OverflowError, IndexError, UnicodeError):
        return array


def _npy(array: np.ndarray, draw: Random) -> bytes:
    """Write an array, sometimes with an odd header."""
    sink = io.BytesIO()
    np.lib.format.write_array(sink, array, draw.choice((None, (1, 0), (2, 0), (3, 0))), allow_pickle=True)
    data = sink.getvalue()
    if draw.random() < 0.4:
        header = draw.choice(
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (" + draw.choice(NUMBERS) + ", 98, 2), }",
                "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
                "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 98, 2), }",
                "{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000,), }",
                "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (1,), }",
                "{'descr': '<f8', 'fortran_order': 3, 'shape': [1], }",
                "{'descr': '" + draw.choice(TEXTS)[:50] + "', 'fortran_order': False, 'shape': (1,), }",
                "{'descr': [('a', '<f8', (2, 2)), ('a', '<f8')], 'fortran_order': False, 'shape': (1,), }",
                "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
                "{'descr': '<f8', 'fortran_order': True, 'shape': (" + "1," * 70 + "), }",
                "(" * 3000,
                "{" * 500 + "'a': 1",
                "__import__('os').system('true')",
                "{'shape': (1,)}",
                "",
            )
        )
        text = header.encode("utf-8", "surrogateescape")
        # The longest header that numpy reads has 10,000 characters.
        data = b"\x93NUMPY\x02\x00" + struct.pack("<I", draw.choice((len(text), *INTEGERS[:9]))) + text + data[128:]
    return data


def mutate_npy(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the array or the header of an npy file, or its bytes."""
    if draw.random() < 0.3:
        return mutate_bytes(data, seeds, draw)
    return _npy(_array(np.load(io.BytesIO(data)), draw), draw)


def mutate_npz(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the arrays, their names or the archive of an npz file, or its bytes."""
    if draw.random() < 0.25:
        return mutate_bytes(data, seeds, draw)
    with np.load(io.BytesIO(data)) as archive:
        arrays = {f"{name}.npy": archive[name] for name in archive.files}
    members: list[tuple[str, bytes]] = []
    chosen = draw.choice(list(arrays))
    for name, array in arrays.items():
        changed = array
        if name == chosen:
            for _ in range(draw.choice((0, 1, 1, 2))):
                changed = _array(changed, draw)
        content = _npy(changed, draw) if name == chosen else _npy(array, Random(0))
        members.append((name, content))
    kind = draw.randrange(8)
    if kind == 0:
        members = [member for member in members if member[0] != chosen]
    elif kind == 1:
        members.append((chosen, members[0][1]))
    elif kind == 2:
        members.append((draw.choice(("other.npy", "a/b.npy", "readme", *TEXTS))[:60_000], b"text"))
    elif kind == 3:
        members = [(name.removesuffix(".npy"), content) for name, content in members]
    return write_zip(members, draw)


def _column(column: Any, values: list[Any], kind: int, draw: Random) -> Any:
    """A column of the same length with other values or another type."""
    rows = len(values)
    if kind == 0:
        return pa.array([None] * rows, column.type)
    if kind == 1:
        return pa.array([*values[:-1], None], column.type)
    if kind == 2:
        types = (pa.string(), pa.float32(), pa.float64(), pa.int64(), pa.uint8(), pa.large_binary())
        return column.cast(draw.choice(types))
    if kind == 3:
        return pa.array([values] * rows)
    if kind == 4:
        return pa.array([draw.choice((float("nan"), float("inf"), 1e308, -1.0))] * rows)
    if kind == 5:
        return pa.array([draw.choice(TEXTS[:12])] * rows)
    if kind == 6:
        return pa.array([v[: draw.randrange(len(v) + 1)] if isinstance(v, list) else [v, v] for v in values])
    return pa.array([2**62] * rows) if kind == 7 else column.dictionary_encode()


def mutate_parquet(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the columns of a parquet file, or its bytes."""
    if draw.random() < 0.35:
        return mutate_bytes(data, seeds, draw)
    table = pq.ParquetFile(io.BytesIO(data), pre_buffer=False).read(use_threads=False)
    names, columns = list(table.column_names), [column.combine_chunks() for column in table.columns]
    for _ in range(draw.choice((1, 1, 2))):
        place = draw.randrange(len(names))
        column = columns[place]
        values: list[Any] = column.to_pylist()
        kind = draw.randrange(9)
        try:
            columns[place] = _column(column, values, kind, draw)
        except (pa.ArrowException, ValueError, TypeError, NotImplementedError, UnicodeError):
            names[place] = draw.choice((*TEXTS, names[0]))[:1000]
    kind = draw.randrange(8)
    if kind == 0:
        place = draw.randrange(len(names))
        names, columns = names[:place] + names[place + 1 :], columns[:place] + columns[place + 1 :]
    elif kind == 1:
        names, columns = [*names, names[0]], [*columns, columns[0]]
    elif kind == 2:
        columns = [column.slice(0, draw.choice((0, 1, len(column) - 1))) for column in columns]
        shortest = min(map(len, columns), default=0)
        columns = [column.slice(0, shortest) for column in columns]
    elif kind == 3:
        columns = [pa.concat_arrays([column, column]) for column in columns]
    sink = io.BytesIO()
    try:
        pq.write_table(
            pa.table(columns, [name.encode("utf-8", "replace").decode() for name in names]),
            sink,
            compression=draw.choice(("zstd", "snappy", "gzip", "none", "lz4", "brotli")),
        )
    except (pa.ArrowException, ValueError, NotImplementedError):
        return mutate_bytes(data, seeds, draw)
    return sink.getvalue()
