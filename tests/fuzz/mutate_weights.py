"""Mutations of safetensors files and of checkpoints of torch that know their structure."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Sequence
from random import Random

from mutate_archives import write_zip  # isort: skip
from mutations import INTEGERS, TEXTS, mutate_bytes, mutate_tree  # isort: skip

__all__ = ["mutate_pth", "mutate_safetensors"]


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
        return write_zip(members, draw)
    with zipfile.ZipFile(sink, "w") as archive:
        for member, body in members:
            # An entry without a date: the bytes of a case are the same at any time.
            archive.writestr(zipfile.ZipInfo(member.encode("utf-8", "replace").decode().replace("\0", "") or "x"), body)
    return sink.getvalue()
