"""Scores don't depend on how many faces are in memory at a time."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nmebench import scoring
from nmebench.geometry.scheme import load
from nmebench.reports.sections import landmarks as landmark_section
from nmebench.reports.view import RunView
from nmebench.runs.face_table import FaceTable, read_faces, write_faces
from nmebench.runs.run_store import Run
from nmebench.scoring import plausibility
from nmebench.scoring.plausibility import suspect_cells

FILES = ("scores.csv", "per_face.parquet", "diverged.json")


@pytest.fixture
def run(make_run, small_faces: FaceTable) -> Run:
    """Two cells, one of which diverged on two faces; some landmarks are occluded, two are not labelled."""
    truth = small_faces.landmarks.copy()
    occluded = np.zeros(truth.shape[:2], bool)
    occluded[1::2, ::3] = True
    occluded[5, :2] = False
    truth[5, :2] = np.nan
    faces = replace(small_faces, landmarks=truth, occluded=occluded)
    rng = np.random.default_rng(3)
    near = (np.nan_to_num(truth, nan=40.0) + rng.normal(0, 2, truth.shape)).astype(np.float32)
    far = near.copy()
    far[[2, 41]] += 1e5
    cells = {("net", "dark", "none", "landmarks"): near, ("net", "argmax", "none", "landmarks"): far}
    made: Run = make_run(cells, table=faces)
    scoring.score(made)
    return made


@pytest.mark.parametrize("block", [1, 7])
def test_blocks_of_any_size_give_the_same_bytes(run: Run, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    before = {name: (run.path / name).read_bytes() for name in FILES}
    assert b"41" in before["diverged.json"]
    errors = landmark_section.per_landmark(RunView(run))
    shape = landmark_section.mean_face(run.faces.landmarks, run.faces.centre, run.faces.size)
    monkeypatch.setattr(Run.landmark_blocks, "__defaults__", (block,))
    monkeypatch.setattr(landmark_section, "BLOCK_FACES", block)
    scoring.score(Run.open(run.path))
    assert {name: (run.path / name).read_bytes() for name in FILES} == before
    view = RunView(Run.open(run.path))
    np.testing.assert_allclose(landmark_section.per_landmark(view), errors, rtol=1e-12)
    again = landmark_section.mean_face(run.faces.landmarks, run.faces.centre, run.faces.size)
    np.testing.assert_allclose(again, shape, rtol=1e-12, atol=1e-12)


def test_of_many_faces_some_are_looked_at_and_the_note_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plausibility, "_SAMPLE", 4)
    (tmp_path / "landmarks").mkdir()
    truth = np.random.default_rng(1).uniform(0, 200, (9, 98, 2))
    np.save(tmp_path / "landmarks" / "c.npy", (truth * 3).astype(np.float32))
    dataset = SimpleNamespace(landmarks=truth, scheme=load("wflw98"))
    (note,) = suspect_cells(tmp_path, [SimpleNamespace(id="c")], dataset, np.full(9, 60.0))
    assert note.startswith("suspect: c (on 4 of 9 faces): the median NME is ")


def test_faces_are_written_and_read_without_an_object_per_number(tmp_path: Path) -> None:
    """20,000 faces of 98 landmarks take 31 MB; as Python's numbers they took 125 MB more."""
    faces = 20_000
    numbers = np.random.default_rng(0).uniform(0, 500, (faces, 98, 2))
    table = FaceTable(
        image=tuple(f"{face // 100}.jpg" for face in range(faces)),
        line=np.arange(faces),
        landmarks=numbers,
        normaliser=np.ones(faces),
        subsets={"even": np.arange(faces) % 2 == 0},
        centre=np.zeros((faces, 2)),
        size=np.ones((faces, 2)),
    )
    tracemalloc.start()
    write_faces(tmp_path, table)
    writing = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    found = read_faces(tmp_path, faces)
    reading = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found.landmarks, numbers)
    assert writing < 20e6, f"{writing / 1e6:.0f} MB"
    assert reading < 60e6, f"{reading / 1e6:.0f} MB"
