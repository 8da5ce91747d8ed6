"""A stored run of six faces with one cell, for the tests of stored runs and for the fuzzer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nmebench import scoring
from nmebench.runs.cell_id import cell_id
from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_record import CellRecord, DatasetRecord, ModelRecord, Provenance, RunRecord
from nmebench.runs.run_store import Run
from nmebench.runs.thumbnail import Thumbnail

__all__ = ["CELL", "FACES", "face_table", "record_of", "write_run"]

FACES, POINTS = 6, 98
CELL = cell_id("net", "dark", "none", "landmarks")


def face_table(images: Sequence[str]) -> FaceTable:
    """Six faces with the given names of photographs."""
    generator = np.random.default_rng(0)
    return FaceTable(
        image=images,
        line=np.arange(1, FACES + 1),
        landmarks=generator.uniform(0, 300, (FACES, POINTS, 2)),
        normaliser=generator.uniform(50, 60, FACES),
        subsets={"test": np.ones(FACES, bool), "pose": np.arange(FACES) % 2 == 0},
        centre=generator.uniform(0, 300, (FACES, 2)),
        size=generator.uniform(100, 200, (FACES, 2)),
    )


def record_of(cell: str = CELL, card: Mapping[str, Any] | None = None) -> RunRecord:
    """The record of a run with one cell."""
    return RunRecord(
        dataset=DatasetRecord(
            name="wflw", spec="wflw:X", format="official-attr", scheme="wflw98", faces=FACES,
            expected={"test": 2500}, counts={"test": FACES, "pose": 3},
        ),
        models=[
            ModelRecord(name="net", architecture="onnx", card=dict(card or {"name": "net"}), input_size=(256, 256))
        ],
        cells=[CellRecord(id=cell, model="net", decoder="dark", flip="none", box="landmarks")],
        provenance=Provenance(nmebench="0"),
    )  # fmt: skip


def write_run(
    path: Path,
    table: FaceTable,
    record: RunRecord,
    *,
    pictures: Sequence[bytes],
    timings: Mapping[str, Any],
    resamples: int = 2000,
) -> Run:
    """Write and score a run whose landmarks are one px to the right of and one px below the true ones.

    Args:
        path: the folder, which may exist.
        table: see :func:`face_table`.
        record: see :func:`record_of`.
        pictures: one thumbnail per face.
        timings: the times to store.
        resamples: of the bootstrap.
    """
    Run.write_cell(path, CELL, table.landmarks + 1, np.ones((FACES, POINTS)))
    thumbnails = [
        Thumbnail(picture, (64, 32), np.arange(6.0).reshape(2, 3) + face) for face, picture in enumerate(pictures)
    ]
    scoring.score(Run.create(path, record, table, thumbnails=thumbnails, timings=dict(timings)), resamples=resamples)
    return Run.open(path)
