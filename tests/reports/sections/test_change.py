"""The change since a baseline."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from nmebench import gates, reports
from nmebench.reports.sections import answers, change
from nmebench.reports.sections import verdict as verdict_section
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


@pytest.fixture(scope="module")
def baseline(small_run: Run) -> gates.Baseline:
    return gates.make_baseline(small_run)


def _changed(run: Run, subset: str, points: float) -> Run:
    """The run with another NME of the first cell's faces in a subset; the files stay."""
    copy = Run(run.path, run.record)
    copy.__dict__["per_face"] = {cell: nme.copy() for cell, nme in run.per_face.items()}
    _change(copy, 0, subset, points)
    return copy


def _change(run: Run, cell: int, subset: str, points: float) -> None:
    mask = run.faces.subsets[subset]
    noise = np.random.default_rng(0).normal(0, abs(points) / 20, mask.sum())
    run.per_face[run.record.cells[cell].id][mask] += points + noise


def _answer(view: RunView, found: change.ChangeSection) -> answers.Answer:
    return answers.section(view, verdict_section.summary(view), None, found, None).change


def test_same_run_is_unchanged(small_run: Run, baseline: gates.Baseline) -> None:
    view = RunView(small_run)
    found = change.section(view, baseline, "old")
    assert found.cells == found.unchanged == len(view.cells)
    assert found.changed == ()
    assert len(found.rows) == len(view.cells) * len(view.masks)
    answer = _answer(view, found)
    assert (answer.word, answer.tone) == ("Unchanged", "good")
    assert answer.sentence.startswith(f"{len(view.cells)} cells compared with earlier run ‘old’")
    assert "Every difference rounds to 0.000 points." in answer.details


@pytest.mark.parametrize(("points", "word", "tone"), [(0.5, "Worse", "bad"), (-0.5, "Better", "good")])
def test_change_in_one_subset_is_found(
    small_run: Run, baseline: gates.Baseline, points: float, word: str, tone: str
) -> None:
    view = RunView(_changed(small_run, "blur", points))
    found = change.section(view, baseline, "old")
    first = view.cells[0]
    assert {row.cell.id for row in found.changed} == {first.id}
    assert "blur" in {row.subset for row in found.changed}
    row = found.changed[0]
    assert row.subset == "blur"
    assert row.paired.difference == pytest.approx(points, rel=0.1)
    answer = _answer(view, found)
    assert (answer.word, answer.tone) == (f"{word}: up to {row.difference} on blur", tone)
    assert f"1 {word.lower()}" in answer.sentence
    assert answer.details[0] == f"{word}: 1 cell of w18-dark (argmax)."
    assert "blur" in answer.details[1]


def test_other_subsets_are_those_of_the_named_cell(small_run: Run, baseline: gates.Baseline) -> None:
    run = _changed(small_run, "blur", 0.5)
    _change(run, 3, "occlusion", 0.4)
    view = RunView(run)
    found = change.section(view, baseline, "old")
    assert {row.cell.index for row in found.changed} == {0, 3}
    first = found.changed[0]
    mine = {row.subset: row.difference for row in found.changed if row.cell.index == 0 and row is not first}
    lines = _answer(view, found).details
    overlap, others = re.findall(
        r"Subsets overlap: this cell is also worse on (.*?)\. Other cells are (.*)\.$", lines[2]
    )[0]
    assert dict(re.findall(r"(\S+) ([+]\d+\.\d+)", overlap)) == mine
    assert {row.subset for row in found.changed} - {first.subset, *mine} == set(re.findall(r"(\w+) \(up to", others))
    assert "occlusion (up to +0.39" in others


def test_unnamed_reference_is_an_earlier_run(small_run: Run, baseline: gates.Baseline) -> None:
    view = RunView(small_run)
    assert "compared with an earlier run" in _answer(view, change.section(view, baseline, "")).sentence


def test_result_agrees_with_the_gate(small_run: Run, baseline: gates.Baseline) -> None:
    run = _changed(small_run, "pose", 0.4)
    found = change.section(RunView(run), baseline, "old")
    regressed = {row.cell for row in gates.gate(run, baseline).rows if row.outcome == "regressed"}
    assert {row.cell.id for row in found.changed if row.changed == "worse"} == regressed != set()


def test_other_faces_are_not_comparable(small_run: Run, baseline: gates.Baseline) -> None:
    found = change.section(RunView(small_run), baseline.model_copy(update={"faces_sha256": "0"}), "old")
    assert found.cells == 0
    answer = _answer(RunView(small_run), found)
    assert answer.word == "Not comparable"
    assert "faces" in answer.sentence


def test_newly_diverged_cell_is_worse(small_run: Run, baseline: gates.Baseline) -> None:
    copy = Run(small_run.path, small_run.record)
    first = small_run.record.cells[0].id
    per_face = {cell: nme.copy() for cell, nme in small_run.per_face.items()}
    per_face[first][3] = 5e6
    copy.__dict__["per_face"] = per_face
    view = RunView(copy)
    found = change.section(view, baseline, "old")
    assert [cell.id for cell in found.newly_diverged] == [first]
    answer = _answer(view, found)
    assert (answer.word, answer.tone) == ("Worse: 1 cell newly diverged", "bad")
    assert answer.details[0] == "Newly diverged: 1 cell of w18-dark (argmax)."
    assert "1 newly diverged" in answer.sentence


def test_cell_that_diverged_before_is_not_newly_diverged(small_run: Run) -> None:
    """A landmark outside twice the crop leaves no trace in a baseline, so the NME alone decides."""
    copy = Run(small_run.path, small_run.record)
    first = small_run.record.cells[0].id
    stray = small_run.landmarks(first)
    stray[5, 3] += 3 * small_run.faces.size[5]
    blocks = small_run.landmark_blocks
    copy.__dict__["landmark_blocks"] = lambda cell: (
        iter([(slice(0, len(stray)), stray)]) if cell == first else blocks(cell)
    )
    view = RunView(copy)
    assert view.cells[0].diverged == "diverged on 1 face"
    assert change.section(view, gates.make_baseline(copy), "old").newly_diverged == ()


def test_grid_has_every_comparison(small_run: Run, baseline: gates.Baseline) -> None:
    found = change.section(RunView(small_run), baseline, "old")
    rows = [row for _, line in found.grid for row in line if row is not None]
    assert sorted(map(id, rows)) == sorted(map(id, found.rows))
    assert [cell.index for cell, _ in found.grid] == list(range(len(small_run.record.cells)))


def test_change_outside_the_subset_is_shown(small_run: Run, baseline: gates.Baseline) -> None:
    view = RunView(_changed(small_run, "blur", 0.5))
    found = change.section(view, baseline, "old")
    assert found.outside == "0.000"
    assert "Outside blur, this cell differs by 0.000." in _answer(view, found).details[1]


def test_page_shows_the_change(small_run: Run, baseline: gates.Baseline, tmp_path: Path) -> None:
    text = reports.html(_changed(small_run, "blur", 0.5), pictures=False, baseline=baseline, baseline_name="<b>old")
    assert 'id="change"' in text
    assert text.count('<bdi class="name">‘&lt;b&gt;old’</bdi>') == 2  # on the first screen and in its section
    assert "<b>old" not in text
