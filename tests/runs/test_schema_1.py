"""A run, a baseline and a history that the code before schema 2 wrote are read as before.

``schema_1/run`` holds six faces of synthface, measured by ``nmebench run --data synthface --limit 6 --model
synthface-mobilenetv3 --model oracle --decoder dark --decoder argmax --no-pictures --engine torch``.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import scoring
from nmebench.checks import check
from nmebench.comparisons import compare
from nmebench.errors import InputError
from nmebench.gates import gate
from nmebench.gates.baseline import Baseline, make_baseline
from nmebench.history.collect import entry_of
from nmebench.history.entry import read_entries
from nmebench.history.git import Repository
from nmebench.reports.page import html
from nmebench.reports.tables import TableOptions, make_table
from nmebench.runs.run_store import Run
from nmebench.scoring.rescore import rescore

STORED = Path(__file__).with_name("schema_1")
DARK = "synthface-mobilenetv3__dark__none__landmarks"
SCORED = ("scores.csv", "per_face.parquet", "diverged.json")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    shutil.copytree(STORED / "run", tmp_path / "old")
    return Run.open(tmp_path / "old")


def test_it_opens_with_the_threshold_that_it_was_scored_at(run: Run) -> None:
    assert run.record.schema_version == 1
    assert (run.record.thresholds, run.record.normaliser) == ((10.0,), "inter-ocular")
    assert "thresholds" not in json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    row = run.scores.iloc[0]
    assert (row["cell"], row["nme"], row["fr10_count"], row["auc10"]) == (DARK, 3.693252918, 0, 0.6306747082)


def test_scoring_it_again_gives_the_same_bytes(run: Run) -> None:
    before = {name: (run.path / name).read_bytes() for name in (*SCORED, "run.json")}
    for name in SCORED:
        (run.path / name).unlink()
    scoring.score(run)
    assert {name: (run.path / name).read_bytes() for name in before} == before


def test_it_is_reported_checked_and_tabulated(run: Run) -> None:
    page = html(run)
    assert "FR@10" in page
    assert "AUC@10" in page
    verdict = check(run)
    assert {row.metric for row in verdict.rows} <= {"nme", "fr10", "auc10"}
    table = make_table(run, TableOptions(metric="auc10"))
    assert len(table.rows) == 2  # without the oracle


def test_its_baseline_passes_and_is_made_again(run: Run) -> None:
    stored = Baseline.read(STORED / "baseline.json")
    assert set(stored.cells[DARK].rates) == {"fr10", "auc10"}
    assert {row.outcome for row in gate(run, stored).rows} == {"passed"}
    made = make_baseline(run).model_dump(mode="json")
    old = json.loads((STORED / "baseline.json").read_text(encoding="utf-8"))
    assert made["cells"] == old["cells"]
    assert made["faces_sha256"] == old["faces_sha256"]


def test_it_is_added_to_its_history(run: Run, tmp_path: Path) -> None:
    (old,) = read_entries(STORED / "history")
    made = entry_of(run, repository=Repository(tmp_path), commit="031b2e5", time=1_700_000_000, machine="one")
    assert made.text() == old.text() == (STORED / "history" / "031b2e5-one.json").read_text(encoding="utf-8")


def test_it_is_compared_with_a_run_of_schema_2(run: Run, tmp_path: Path) -> None:
    new = rescore(run, tmp_path / "new", normaliser="inter-pupil", thresholds=[8])
    assert new.record.schema_version == 2
    found = compare([run, new])
    assert found.rates == ("fr10", "auc10")
    assert {d.difference for row in found.rows for d in row.differences if d is not None} == {0.0}
    assert any("normalised by inter-ocular / inter-pupil" in note for note in found.notes)
    assert any("thresholds 10 / 8 percent" in note for note in found.notes)
    assert compare([new, run]).rates == ("fr8", "auc8")


@pytest.mark.parametrize("version", [0, 3, 99, "2", 2.5, True, None])
def test_another_schema_is_refused_in_one_line(run: Run, version: Any) -> None:
    record = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    (run.path / "run.json").write_text(json.dumps({**record, "schema_version": version}), encoding="utf-8")
    with pytest.raises(InputError, match=r"schema version .* can't be read, allowed: 1, 2; use the nmebench") as error:
        Run.open(run.path)
    assert "\n" not in str(error.value)


def test_it_is_rescored_without_stored_normalisers(run: Run, tmp_path: Path) -> None:
    """Its landmarks give the lengths; a box that it doesn't store can't."""
    assert not run.faces.normalisers
    truth = run.faces.landmarks
    made = rescore(run, tmp_path / "new", normaliser="box-size")
    extents = truth.max(1) - truth.min(1)
    np.testing.assert_allclose(made.faces.normaliser, np.sqrt(extents[:, 0] * extents[:, 1]), rtol=1e-12)
    with pytest.raises(InputError, match="unknown normaliser of wflw98 'annotated-box'"):
        rescore(run, tmp_path / "other", normaliser="annotated-box")
    assert not (tmp_path / "other" / "run.json").exists()
