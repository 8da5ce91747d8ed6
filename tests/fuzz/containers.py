"""Mutations of arrays, archives, parquet files, pictures, checkpoints and ONNX graphs that know their structure."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mutations import INTEGERS, NUMBERS, TEXTS, mutate_bytes, mutate_tree  # isort: skip

__all__ = [
    "mutate_npy",
    "mutate_npz",
    "mutate_parquet",
    "mutate_picture",
    "mutate_safetensors",
    "mutate_tar",
    "mutate_zip",
]

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
    return _zip(members, draw)


def _zip(members: Sequence[tuple[str, bytes]], draw: Random) -> bytes:
    """Write a zip archive, sometimes with odd headers."""
    sink = io.BytesIO()
    method = draw.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    )
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode().replace("\0", "") or "x")
            info.compress_type = method
            info.external_attr = draw.choice((0, 0, 0, 0o120777 << 16, 0o060000 << 16, 0o040755 << 16, 0o777 << 16))
            info.create_system = draw.choice((0, 3, 3))
            if draw.random() < 0.05:
                info.extra = draw.randbytes(draw.randint(1, 40))
            try:
                archive.writestr(info, content)
            except (ValueError, UnicodeError, struct.error):
                archive.writestr("x", content)
        if draw.random() < 0.1:
            archive.comment = draw.randbytes(draw.choice((1, 300, 65_000)))
    found = bytearray(sink.getvalue())
    if draw.random() < 0.5:
        # Fields of the central directory: versions, flags, method, checksum, sizes, disk, attributes, offset.
        place = found.find(b"PK\x01\x02")
        for _ in range(draw.randrange(3)):
            place = found.find(b"PK\x01\x02", place + 1) if found.find(b"PK\x01\x02", place + 1) > 0 else place
        offset, width = draw.choice(
            ((4, 2), (6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (34, 2), (42, 4))
        )
        value = draw.choice((*INTEGERS, 9, 12, 14, 93, 95, 97, 99)) & (1 << 8 * width) - 1
        found[place + offset : place + offset + width] = value.to_bytes(width, "little")
        if draw.random() < 0.3:
            end = found.rfind(b"PK\x05\x06")
            offset, width = draw.choice(((4, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)))
            found[end + offset : end + offset + width] = (draw.choice(INTEGERS) & (1 << 8 * width) - 1).to_bytes(
                width, "little"
            )
    if draw.random() < 0.1:
        return draw.randbytes(100) + bytes(found)
    return bytes(found)


def mutate_zip(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the members or headers of a zip archive, or its bytes."""
    if draw.random() < 0.3:
        return mutate_bytes(data, seeds, draw)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    place = draw.randrange(len(members))
    name, content = members[place]
    kind = draw.randrange(7)
    if kind == 0:
        members[place] = (draw.choice(TEXTS)[:60_000], content)
    elif kind == 1:
        members.append((draw.choice((name, name.upper(), name + "/", f"{name}/x", name.replace("a", "a\u0301"))), b""))
    elif kind == 2:
        members[place] = (name, mutate_bytes(content or b"x", [content or b"x"], draw))
    elif kind == 3:
        members[place] = (name, b"\0" * draw.choice((0, 2**20, 2**24)))
    elif kind == 4:
        del members[place]
    elif kind == 5:
        members += [(f"many/{index}", b"") for index in range(draw.choice((50, 2000)))]
    return _zip(members, draw)


def mutate_tar(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the members or headers of a tar archive, or its bytes."""
    packed = data.startswith(b"\x1f\x8b")
    plain = zlib.decompress(data, 31) if packed else data
    if draw.random() < 0.4:
        found = bytearray(plain)
        blocks = len(found) // 512
        place = 512 * draw.randrange(max(1, blocks))
        offset, width = draw.choice(
            ((0, 100), (100, 8), (124, 12), (136, 12), (148, 8), (156, 1), (157, 100), (257, 8), (345, 155))
        )
        value = draw.choice(
            (b"", b"\xff" * 12, b"7" * 12, b"-1", b"\x80" + b"\0" * 10 + b"\xff", b"../../x", b"/x", b"a" * 155)
        )
        found[place + offset : place + offset + width] = value[:width].ljust(width, b"\0")
        if draw.random() < 0.7 and offset != 148:
            found[place + 148 : place + 156] = b" " * 8
            total = sum(found[place : place + 512])
            found[place + 148 : place + 156] = b"%06o\0 " % total
        changed = bytes(found)
    elif draw.random() < 0.3:
        changed = mutate_bytes(plain, seeds, draw)
    else:
        sink = io.BytesIO()
        form = draw.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT))
        with tarfile.open(fileobj=sink, mode="w", format=form, errors="surrogateescape") as archive:
            for _ in range(draw.choice((0, 1, 3, 300))):
                info = tarfile.TarInfo(
                    draw.choice(("a/b.txt", "a", "A", "a/B.TXT", f"d/{draw.random()}", *TEXTS))[:5000]
                )
                info.type = draw.choice(
                    (b"0", b"0", b"0", b"5", b"1", b"2", b"3", b"6", b"7", b"S", b"x", b"g", b"L", b"\0")
                )
                info.size = draw.choice((0, 5, 512))
                if draw.random() < 0.2:
                    info.pax_headers = {
                        draw.choice(("path", "size", "GNU.sparse.size", "GNU.sparse.map", "hdrcharset")): draw.choice(
                            NUMBERS
                        )[:100]
                    }
                try:
                    archive.addfile(info, io.BytesIO(b"x" * info.size))
                except (ValueError, UnicodeError, OSError):
                    continue
        changed = sink.getvalue()
    if not packed:
        return changed
    again = zlib.compressobj(1, zlib.DEFLATED, 31)
    found_bytes = again.compress(changed) + again.flush()
    return mutate_bytes(found_bytes, seeds, draw) if draw.random() < 0.2 else found_bytes


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


def mutate_picture(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the chunks of a PNG with correct check sums, the segments of a JPEG, or any bytes."""
    if data.startswith(b"\x89PNG") and draw.random() < 0.6:
        chunks, place = [], 8
        while place + 12 <= len(data):
            size = int.from_bytes(data[place : place + 4], "big")
            chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
            place += 12 + size
        index = draw.randrange(len(chunks))
        name, body = chunks[index]
        kind = draw.randrange(6)
        if kind <= 2:
            chunks[index] = (name, mutate_bytes(body or b"\0", [body or b"\0"], draw))
        elif kind == 3:
            chunks.insert(index, chunks[index])
        elif kind == 4:
            chunks.insert(
                draw.randrange(1, len(chunks) + 1),
                (
                    draw.choice(
                        (b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"zTXt", b"sBIT")
                    ),
                    draw.randbytes(draw.choice((0, 1, 4, 26, 768))),
                ),
            )
        else:
            del chunks[index]
        return data[:8] + b"".join(
            len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")
            for name, body in chunks
        )
    if data.startswith(b"\xff\xd8") and draw.random() < 0.4:
        found = bytearray(data)
        places = [p for p in range(2, min(len(data) - 20, 1000)) if data[p] == 0xFF and data[p + 1] not in (0, 0xFF)]
        place = draw.choice(places or [2])
        offset = draw.randint(1, 19)
        found[place + offset] = draw.choice(
            (0, 1, 3, 4, 8, 12, 16, 0x11, 0x22, 0x44, 0xC0, 0xC1, 0xC2, 0xC9, 0xCA, 0xD9, 0xFF)
        )
        return bytes(found)
    return mutate_bytes(data, seeds, draw)


def mutate_safetensors(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the header of a safetensors file, or its bytes."""
    if draw.random() < 0.3:
        return mutate_bytes(data, seeds, draw)
    size = int.from_bytes(data[:8], "little")
    tree = json.loads(data[8 : 8 + size])
    if draw.random() < 0.5:
        entry = tree[draw.choice(list(tree))]
        entry[draw.choice(("dtype", "shape", "data_offsets"))] = draw.choice(
            (
                "F64",
                "BF16",
                "F8_E4M3",
                "I64",
                "BOOL",
                "X",
                [],
                [0],
                [2**62, 2],
                [-1],
                [0, 0],
                [10**30, 1],
                [5, 1],
                [0, 2**63],
                None,
            )
        )
    else:
        tree = mutate_tree(tree, draw)
    try:
        header = json.dumps(tree).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return mutate_bytes(data, seeds, draw)
    if draw.random() < 0.05:
        header = b"[" * 100_000
    length = len(header) if draw.random() < 0.9 else draw.choice(INTEGERS)
    return struct.pack("<Q", length) + header + data[8 + size :]


def mutate_pth(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the pickle, the names or the headers of a ``torch.save`` file, or its bytes."""
    if not data.startswith(b"PK") or draw.random() < 0.3:
        return mutate_bytes(data, seeds, draw)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    place = draw.randrange(len(members))
    place = draw.choice((place, next((i for i, member in enumerate(members) if member[0].endswith("data.pkl")), place)))
    name, content = members[place]
    kind = draw.randrange(6)
    if kind <= 2:
        members[place] = (name, mutate_bytes(content, [content], draw))
    elif kind == 3:
        value = draw.choice(
            (
                {},
                [],
                1,
                None,
                "x",
                {"a": {"b": {}}},
                {"state_dict": {}},
                {1: 2},
                {b"x": [1]},
                (),
                {"model": {"state_dict": 3}},
                print,
            )
        )
        members[place] = (name, pickle.dumps(value, protocol=draw.choice((0, 2, 4, 5))))
    elif kind == 4:
        del members[place]
    else:
        members[place] = (draw.choice((name + "x", "x", name.upper(), *TEXTS))[:1000], content)
    sink = io.BytesIO()
    if draw.random() < 0.3:
        return _zip(members, draw)
    with zipfile.ZipFile(sink, "w") as archive:
        for member, body in members:
            archive.writestr(member.encode("utf-8", "replace").decode().replace("\0", "") or "x", body)
    return sink.getvalue()
