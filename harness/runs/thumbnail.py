"""The small pictures of a run's faces, and their file ``thumbnails.parquet``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from nmebench.runs import run_files

__all__ = ["Thumbnail", "read_thumbnails", "write_thumbnails"]

_FILE: Final = "thumbnails.parquet"


@dataclass(frozen=True)
class Thumbnail:
    """The crop of one face as a small JPEG."""

    jpeg: bytes
    size: tuple[int, int]
    """Width, height in thumbnail px."""
    warp: np.ndarray
    """``[2, 3]``: the affine map from image px to thumbnail px."""


def write_thumbnails(run: Path, thumbnails: Sequence[Thumbnail]) -> None:
    """Write ``thumbnails.parquet``.

    Args:
        run: the run folder; it must exist.
        thumbnails: one per face.
    """
    columns = {
        "jpeg": pa.array([t.jpeg for t in thumbnails], pa.binary()),
        "width": pa.array([t.size[0] for t in thumbnails], pa.int32()),
        "height": pa.array([t.size[1] for t in thumbnails], pa.int32()),
        "warp": pa.array([t.warp.ravel().tolist() for t in thumbnails], pa.list_(pa.float64())),
    }
    run_files.write_table(run, _FILE, pa.table(columns))


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
    columns = {
        "jpeg": pa.types.is_binary,
        "width": run_files.is_integer,
        "height": run_files.is_integer,
        "warp": lambda kind: pa.types.is_list(kind) and pa.types.is_float64(kind.value_type),
    }
    table = run_files.read_table(run, _FILE, columns)
    rows = table.to_pylist()
    if len(rows) != count or any(len(row["warp"]) != 6 for row in rows):
        raise run_files.damaged(run, _FILE, "doesn't have one picture per face")
    if any(chunk.flatten().null_count for chunk in table.column("warp").chunks):
        raise run_files.damaged(run, _FILE, "a map to a picture lacks a number")
    return [
        Thumbnail(row["jpeg"], (row["width"], row["height"]), np.asarray(row["warp"]).reshape(2, 3)) for row in rows
    ]
