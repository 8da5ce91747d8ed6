"""Scores from stored landmarks."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from nmebench import metrics, scoring
from nmebench.errors import InputError
from nmebench.runs.run_store import Run

DARK = ("net", "dark", "flip+shift", "landmarks")
ARGMAX = ("net", "argmax", "none", "landmarks")


@pytest.fixture
def run(make_run):
    nme = np.where(np.arange(60) % 10 == 0, 12.0, 4.0)
    return make_run({DARK: nme, ARGMAX: nme + 1}, expected={"test": 2500, "pose": 326})


def test_scores_have_a_row_per_cell_and_subset(run):
    scores = run.scores
    assert list(scores.columns) == list(scoring.columns([10]))
    assert list(scores["subset"]) == ["test", "pose", "blur"] * 2
    row = scores.iloc[0]
    assert row["nme"] == pytest.approx(4.8, abs=1e-5)
    assert (row["fr10"], row["fr10_count"], row["faces"]) == (10.0, 6, 60)
    assert row["auc10"] == pytest.approx(0.9 * 0.6, abs=1e-6)
    assert row["expected_faces"] == 2500
    assert pd.isna(scores.iloc[2]["expected_faces"])
    for metric in ("nme", "fr10", "auc10"):
        assert (scores[f"{metric}_low"] <= scores[metric]).all()
        assert (scores[metric] <= scores[f"{metric}_high"]).all()


def test_per_face_is_the_nme_of_the_stored_landmarks(run):
    for cell in run.record.cells:
        errors = metrics.point_errors(run.landmarks(cell.id), run.faces.landmarks)
        np.testing.assert_array_equal(run.per_face[cell.id], metrics.nme(errors, run.faces.normaliser))


def test_scoring_a_run_again_gives_the_same_bytes(run):
    before = {name: (run.path / name).read_bytes() for name in ("scores.csv", "per_face.parquet")}
    for name in before:
        (run.path / name).unlink()
    scoring.score(Run.open(run.path), resamples=200)
    assert {name: (run.path / name).read_bytes() for name in before} == before


def test_subset_masks_are_in_table_order(run):
    masks = scoring.subset_masks(run)
    assert list(masks) == ["test", "pose", "blur"]
    assert masks["test"].all()
    assert masks["pose"].sum() == 15


def test_intervals_do_not_depend_on_threads(run):
    script = "import sys\nfrom nmebench import runs, scoring\nscoring.score(runs.Run.open(sys.argv[1]))"
    found = set()
    for threads in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", script, str(run.path)],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
            check=True,
        )
        found.add((run.path / "scores.csv").read_bytes())
    assert len(found) == 1


def test_error_for_nan_landmarks_names_cell_and_face(make_run):
    nme = np.full(60, 4.0)
    nme[7] = np.nan
    with pytest.raises(InputError, match=r"net__dark.*1 faces.*face 7 \(line 8"):
        make_run({DARK: nme})
