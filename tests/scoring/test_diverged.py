"""The state diverged: the rule on arrays, and the cells of a run with and without its landmarks."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.runs.run_store import Run
from nmebench.scoring.diverged import diverged_cells, diverged_faces

DARK, BAD = ("net", "dark", "none", "landmarks"), ("net", "barycentre", "none", "landmarks")
BAD_ID = "net__barycentre__none__landmarks"


def _slow(nme, landmarks, centre, size):
    found = []
    for n in range(len(nme)):
        bad = nme[n] > 100
        for x, y in landmarks[n]:
            left, right = centre[n][0] - size[n][0], centre[n][0] + size[n][0]
            top, bottom = centre[n][1] - size[n][1], centre[n][1] + size[n][1]
            bad = bad or not (left <= x <= right and top <= y <= bottom)
        found.append(bool(bad))
    return found


def test_rule_matches_a_loop():
    rng = np.random.default_rng(0)
    centre, size = rng.normal(50, 5, (200, 2)), rng.uniform(20, 40, (200, 2))
    landmarks = centre[:, None] + rng.normal(0, 14, (200, 7, 2))
    nme = rng.exponential(30, 200)
    found = diverged_faces(nme, landmarks, centre, size)
    assert found.tolist() == _slow(nme, landmarks, centre, size)
    assert 20 < found.sum() < 180


@pytest.mark.parametrize(
    ("point", "nme", "diverged"),
    [
        pytest.param((20.0, 10.0), 100.0, False, id="exactly 100 percent"),
        pytest.param((20.0, 10.0), 100.001, True, id="above 100 percent"),
        pytest.param((50.0, 10.0), 3.0, False, id="on the edge of twice the crop"),
        pytest.param((50.01, 10.0), 3.0, True, id="right of twice the crop"),
        pytest.param((20.0, -10.01), 3.0, True, id="above twice the crop"),
    ],
)
def test_limits(point, nme, diverged):
    found = diverged_faces(np.array([nme]), np.array([[point]]), np.array([[20.0, 10.0]]), np.array([[30.0, 20.0]]))
    assert found.tolist() == [diverged]


def test_face_without_a_box_is_marked_by_its_nme():
    found = diverged_faces(np.array([3.0, 300.0]), np.zeros((2, 1, 2)) + 1e6, np.zeros((2, 2)), np.zeros((2, 2)))
    assert found.tolist() == [False, True]


@pytest.fixture
def run(make_run, small_faces):
    nme = np.full(len(small_faces), 4.0)
    nme[[5, 9]] = 1e5
    return make_run({DARK: 4.0, BAD: nme}, table=small_faces)


def test_cells_of_a_run_by_its_landmarks(run):
    found = diverged_cells(run)
    assert {cell: d.faces for cell, d in found.items()} == {BAD_ID: (5, 9)}
    assert found[BAD_ID].text == "diverged on 2 faces"


def test_one_stray_landmark_is_enough(make_run, small_faces):
    landmarks = small_faces.landmarks + 1.0
    landmarks[7, 3] = small_faces.centre[7] + 1.2 * small_faces.size[7]
    run = make_run({BAD: landmarks}, table=small_faces)
    assert run.per_face[BAD_ID].max() < 20
    assert diverged_cells(run)[BAD_ID].faces == (7,)


@pytest.mark.parametrize("unlabelled", [False, True])
def test_scoring_finds_the_faces_that_a_loop_finds(make_run, small_faces, unlabelled):
    """Scoring looks only at faces whose errors could put a landmark outside the box."""
    rng = np.random.default_rng(5)
    truth = small_faces.landmarks.copy()
    landmarks = truth + rng.normal(0, 1, truth.shape)
    # Small errors move the outermost landmarks of most faces over the edge or nearly so.
    centre = truth.max(axis=1) - small_faces.size + rng.uniform(0, 4, (len(truth), 2))
    landmarks[7, 3] = centre[7] + 1.2 * small_faces.size[7]
    if unlabelled:
        truth[::4, ::3] = np.nan  # a prediction there can be anywhere
    faces = replace(small_faces, landmarks=truth, centre=centre)
    run = make_run({BAD: landmarks}, table=faces)
    stored = run.landmarks(BAD_ID)
    expected = np.flatnonzero(_slow(run.per_face[BAD_ID], stored, faces.centre, faces.size)).tolist()
    assert 10 < len(expected) < 50
    assert json.loads((run.path / "diverged.json").read_text()) == {BAD_ID: expected}
    assert diverged_cells(run)[BAD_ID].faces == tuple(expected)


def test_run_without_landmarks_uses_the_stored_faces(run):
    assert json.loads((run.path / "diverged.json").read_text()) == {BAD_ID: [5, 9]}
    shutil.rmtree(run.path / "landmarks")
    assert diverged_cells(Run.open(run.path))[BAD_ID].faces == (5, 9)


def test_run_with_scores_alone_uses_the_mean_of_the_failed_faces(run):
    shutil.rmtree(run.path / "landmarks")
    for name in ("diverged.json", "per_face.parquet", "faces.parquet"):
        (run.path / name).unlink()
    found = diverged_cells(Run.open(run.path))
    assert {cell: (d.faces, d.text) for cell, d in found.items()} == {BAD_ID: (None, "diverged")}


def test_every_cell_and_the_first_and_last_face_may_have_diverged(run):
    """The stored file is believed where the landmarks are gone."""
    shutil.rmtree(run.path / "landmarks")
    cells = [cell.id for cell in run.record.cells]
    (run.path / "diverged.json").write_text(json.dumps({cell: [0, 59] for cell in cells}))
    found = diverged_cells(Run.open(run.path))
    assert {cell: diverged.faces for cell, diverged in found.items()} == dict.fromkeys(cells, (0, 59))
    (run.path / "diverged.json").write_text(json.dumps({cells[0]: []}))
    assert diverged_cells(Run.open(run.path)) == {}


@pytest.mark.parametrize("content", [{"other": [0]}, {BAD_ID: [60]}, {BAD_ID: [-1]}, {BAD_ID: [True]}, [1]], ids=str)
def test_damaged_file_is_refused(run, content):
    shutil.rmtree(run.path / "landmarks")
    (run.path / "diverged.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"diverged\.json: damaged") as caught:
        diverged_cells(Run.open(run.path))
    assert "nmebench score" in str(caught.value)
