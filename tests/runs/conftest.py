"""A small stored run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import six_faces

from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_record import RunRecord
from nmebench.runs.run_store import Run


@pytest.fixture
def face_table() -> FaceTable:
    """Six faces in five photographs whose names are hard to store."""
    return six_faces.face_table(("a/ä b.jpg", "a/ä b.jpg", "c\udcff.jpg", "d'\"\n.jpg", "e.jpg", "f.jpg"))


@pytest.fixture
def record() -> Callable[[str], RunRecord]:
    """A function that makes the record of a run with one cell."""
    return six_faces.record_of


@pytest.fixture
def run(tmp_path: Path, face_table: FaceTable) -> Run:
    """A scored run with thumbnails and timings."""
    pictures = [bytes([face, 255]) for face in range(six_faces.FACES)]
    return six_faces.write_run(tmp_path, face_table, six_faces.record_of(), pictures=pictures, timings={"total": 1.5})
