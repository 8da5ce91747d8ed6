"""A small stored run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nmebench import scoring
from nmebench.runs.cell_id import cell_id
from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_record import CellRecord, DatasetRecord, ModelRecord, Provenance, RunRecord
from nmebench.runs.run_store import Run
from nmebench.runs.thumbnail import Thumbnail

FACES, POINTS = 6, 98


@pytest.fixture
def face_table() -> FaceTable:
    """Six faces in five photographs whose names are hard to store."""
    generator = np.random.default_rng(0)
    return FaceTable(
        image=("a/ä b.jpg", "a/ä b.jpg", "c\udcff.jpg", "d'\"\n.jpg", "e.jpg", "f.jpg"),
        line=np.arange(1, FACES + 1),
        landmarks=generator.uniform(0, 300, (FACES, POINTS, 2)),
        normaliser=generator.uniform(50, 60, FACES),
        subsets={"test": np.ones(FACES, bool), "pose": np.arange(FACES) % 2 == 0},
        centre=generator.uniform(0, 300, (FACES, 2)),
        size=generator.uniform(100, 200, (FACES, 2)),
    )


@pytest.fixture
def record() -> Callable[[str], RunRecord]:
    """A function that makes the record of a run with one cell."""

    def make(cell: str) -> RunRecord:
        return RunRecord(
            dataset=DatasetRecord(
                name="wflw", spec="wflw:X", format="official-attr", scheme="wflw98", faces=FACES,
                expected={"test": 2500}, counts={"test": FACES, "pose": 3},
            ),
            models=[ModelRecord(name="net", architecture="onnx", card={"name": "net"}, input_size=(256, 256))],
            cells=[CellRecord(id=cell, model="net", decoder="dark", flip="none", box="landmarks")],
            provenance=Provenance(nmebench="0"),
        )  # fmt: skip

    return make


@pytest.fixture
def run(tmp_path: Path, face_table: FaceTable, record: Callable[[str], RunRecord]) -> Run:
    """A scored run with thumbnails and timings."""
    cell = cell_id("net", "dark", "none", "landmarks")
    Run.write_cell(tmp_path, cell, face_table.landmarks + 1, np.ones((FACES, POINTS)))
    thumbnails = [Thumbnail(bytes([n, 255]), (64, 32), np.arange(6.0).reshape(2, 3) + n) for n in range(FACES)]
    run = Run.create(tmp_path, record(cell), face_table, thumbnails=thumbnails, timings={"total": 1.5})
    scoring.score(run)
    return Run.open(tmp_path)
