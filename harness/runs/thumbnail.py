"""The small pictures of a run's faces, and their file ``thumbnails.parquet``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, overload

import numpy as np
import pyarrow as pa

from nmebench.runs import run_files
from nmebench.runs.run_files import damaged
from nmebench.runs.stored_table import StoredTable, is_integer, opened_table, write_groups

__all__ = ["StoredThumbnails", "Thumbnail", "read_thumbnails", "write_thumbnails"]

_FILE: Final = "thumbnails.parquet"

_GROUP: Final = 1024
"""Faces of a group of rows: about 4 MB."""

_KINDS: Final = {
    "jpeg": pa.types.is_binary,
    "width": is_integer,
    "height": is_integer,
    "warp": lambda kind: pa.types.is_list(kind) and pa.types.is_float64(kind.value_type),
}


@dataclass(frozen=True)
class Thumbnail:
    """The crop of one face as a small JPEG."""

    jpeg: bytes
    size: tuple[int, int]
    """Width, height in thumbnail px."""
    warp: np.ndarray
    """``[2, 3]``: the affine map from image px to thumbnail px."""


_SCHEMA: Final = pa.schema(
    {"jpeg": pa.binary(), "width": pa.int32(), "height": pa.int32(), "warp": pa.list_(pa.float64())}
)


def write_thumbnails(run: Path, thumbnails: Iterable[Thumbnail]) -> None:
    """Write ``thumbnails.parquet``, a group of faces in memory at a time.

    Args:
        run: the run folder; it must exist.
        thumbnails: one per face.
    """
    write_groups(run, _FILE, _SCHEMA, _groups(thumbnails))


def _groups(thumbnails: Iterable[Thumbnail]) -> Iterator[pa.Table]:
    remaining = iter(thumbnails)
    group = list(islice(remaining, _GROUP))
    while True:
        columns = {
            "jpeg": [t.jpeg for t in group],
            "width": [t.size[0] for t in group],
            "height": [t.size[1] for t in group],
            "warp": [t.warp.ravel().tolist() for t in group],
        }
        yield pa.table(columns, schema=_SCHEMA)
        group = list(islice(remaining, _GROUP))
        if not group:
            return


class StoredThumbnails(Sequence[Thumbnail]):
    """The thumbnails of a run; a picture is read from the disk when it is asked for.

    Neighbouring faces share a group of rows, of which the last one read is kept.
    """

    def __init__(self, run: Path, table: StoredTable) -> None:
        """Read the sizes and maps of all faces; :func:`read_thumbnails` checks them."""
        self._run = run
        self._starts = table.starts
        sizes, warps = [], []
        for group in table.groups(["width", "height", "warp"]):
            sizes.append(np.stack([group.column(side).to_numpy() for side in ("width", "height")], axis=1))
            warp = group.column("warp").combine_chunks()
            flat = warp.flatten()
            if (warp.value_lengths().to_numpy(zero_copy_only=False) != 6).any():
                raise damaged(run, _FILE, "doesn't have one picture per face")
            if flat.null_count:
                raise damaged(run, _FILE, "a map to a picture lacks a number")
            warps.append(flat.to_numpy(zero_copy_only=False).reshape(-1, 2, 3))
        self._sizes = np.concatenate(sizes) if sizes else np.empty((0, 2), np.int64)
        self._warps = np.concatenate(warps) if warps else np.empty((0, 2, 3))
        self._kept: tuple[int, list[bytes]] = (-1, [])

    def __len__(self) -> int:
        """The number of faces."""
        return len(self._sizes)

    @overload
    def __getitem__(self, face: int) -> Thumbnail: ...

    @overload
    def __getitem__(self, face: slice) -> list[Thumbnail]: ...

    def __getitem__(self, face: int | slice) -> Thumbnail | list[Thumbnail]:
        """Return the thumbnail of a face, or of several.

        Raises:
            InputError: the picture can't be read.
        """
        if isinstance(face, slice):
            return [self[one] for one in range(*face.indices(len(self)))]
        face = range(len(self))[face]
        number = bisect_right(self._starts, face) - 1
        if self._kept[0] != number:
            with opened_table(self._run, _FILE, _KINDS) as table:
                if table.starts != self._starts:
                    raise damaged(self._run, _FILE, "was replaced while it was read")
                self._kept = (number, table.group(number, ["jpeg"]).column("jpeg").to_pylist())
        jpeg = self._kept[1][face - self._starts[number]]
        width, height = self._sizes[face].tolist()
        return Thumbnail(jpeg, (width, height), self._warps[face])


def read_thumbnails(run: Path, count: int) -> Sequence[Thumbnail] | None:
    """Return the thumbnail of every face; None for a run without pictures.

    Args:
        run: the run folder.
        count: N, the number of faces that ``run.json`` states.

    Raises:
        InputError: ``thumbnails.parquet`` can't be read, or doesn't have one picture and map per face.
    """
    if not run_files.exists(run / _FILE):
        return None
    with opened_table(run, _FILE, _KINDS) as table:
        if table.rows != count:
            raise damaged(run, _FILE, "doesn't have one picture per face")
        return StoredThumbnails(run, table)
