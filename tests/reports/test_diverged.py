"""A diverged cell is named and touches no tie, rank, scale, shading or axis: the rest of the page is as without it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from nmebench import reports
from nmebench.reports.sections import answers, attributes, boxes, ced, differences, landmarks, neighbours, scores, sizes
from nmebench.reports.sections import verdict as verdict_section
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run

LOST = (3, 17, 40)
"""Faces on which barycentre diverges: their landmarks are a million px off."""


@pytest.fixture(scope="module")
def pair(make_report_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> tuple[RunView, RunView]:
    """A run whose barycentre cells diverged, and the same run without these cells."""
    folder = tmp_path_factory.mktemp("diverged")
    run = make_report_run(
        folder / "with",
        models=("net-a", "net-b"),
        decoders=("argmax", "dark", "barycentre"),
        boxes=("landmarks", "rect"),
        flips=("none",),
        faces=60,
    )
    lost = {cell.id for cell in run.record.cells if cell.decoder == "barycentre"}
    per_face = {cell: nme.copy() for cell, nme in run.per_face.items()}
    table = run.scores
    for cell in lost:
        points = run.landmarks(cell)
        points[list(LOST)] += 1e6
        Run.write_cell(run.path, cell, points, run.confidence(cell))
        errors = np.linalg.norm(points - run.faces.landmarks, axis=2).mean(1)
        per_face[cell] = 100 * errors / run.faces.normaliser
        for subset, mask in run.faces.subsets.items():
            row = (table["cell"] == cell) & (table["subset"] == subset)
            table.loc[row, ["nme", "nme_low", "nme_high"]] = per_face[cell][mask].mean() * np.array([1, 0.1, 3])
    run.write_scores(table, per_face)
    shutil.copytree(run.path, folder / "without")
    file = folder / "without" / "run.json"
    record = json.loads(file.read_text())
    record["cells"] = [cell for cell in record["cells"] if cell["id"] not in lost]
    file.write_text(json.dumps(record))
    other = Run.open(folder / "without")
    other.write_scores(table[~table["cell"].isin(lost)], {c: nme for c, nme in per_face.items() if c not in lost})
    return RunView(Run.open(run.path)), RunView(Run.open(other.path))


def test_cell_is_counted_and_named(pair: tuple[RunView, RunView]) -> None:
    view, _ = pair
    assert {c.decoder for c in view.cells if c.diverged} == {"barycentre"}
    assert {c.diverged for c in view.cells if c.diverged} == {"diverged on 3 faces"}
    first = answers.section(view, verdict_section.summary(view), differences.section(view), None, None)
    assert len(first.diverged) == 4
    assert all("barycentre" in line and "diverged on 3 faces of 60" in line for line in first.diverged)
    text = reports.html(view.run, pictures=False)
    assert "4 diverged cells" in text
    assert "1e+0" not in re.sub(r"data-v=\"[^\"]*\"", "", text)
    assert "barycentre (diverged on 3 faces)" in reports.markdown_tables(view.run)


def test_marks_and_decimals_are_those_without_the_cell(pair: tuple[RunView, RunView]) -> None:
    view, without = pair
    for a, b in zip(scores.section(view), scores.section(without), strict=True):
        kept = [row for row in a.rows if not row.cell.diverged]
        assert [(r.cell.id, [(v.text, v.mark) for v in r.values]) for r in kept] == [
            (r.cell.id, [(v.text, v.mark) for v in r.values]) for r in b.rows
        ]
        assert all(v.mark == "" for row in a.rows if row.cell.diverged for v in row.values)
    best, other = scores.best(scores.section(view)), scores.best(scores.section(without))
    assert best is not None
    assert other is not None
    assert best.cell.id == other.cell.id


def test_gains_and_their_scale_are_those_without_the_cell(pair: tuple[RunView, RunView]) -> None:
    view, without = pair
    a, b = differences.section(view), differences.section(without)
    assert a is not None
    assert b is not None
    assert (a.reach, a.comparisons) == (b.reach, b.comparisons)
    for one, other in zip(a.ladders, b.ladders, strict=True):
        assert [(g.text, g.interval, g.p, g.position) for g in one.gains] == [
            (g.text, g.interval, g.p, g.position) for g in other.gains
        ]
        assert [(cell.decoder, why) for cell, why in one.left_out] == [("barycentre", "diverged on 3 faces")]


def test_axes_shading_and_scales_are_those_without_the_cell(pair: tuple[RunView, RunView]) -> None:
    view, without = pair
    for name, axis in {a.name: a for a in ced.section(view).axes}.items():
        other = next(a for a in ced.section(without).axes if a.name == name)
        np.testing.assert_array_equal(axis.thresholds, other.thresholds)
    a, b = landmarks.section(view), landmarks.section(without)
    assert a.steps == b.steps
    assert [row.tints for row in a.rows if not row.cell.diverged] == [row.tints for row in b.rows]
    assert all(set(row.tints) == {0.0} for row in a.rows if row.cell.diverged)
    assert sizes.section(view).figure == sizes.section(without).figure
    assert attributes.section(view).figure == attributes.section(without).figure
    spreads = {r.cell.id: r.spread for r in boxes.section(without).rows}
    for row in boxes.section(view).rows:
        assert row.spread == spreads.get(row.cell.id, "–")


def test_first_screen_is_that_without_the_cell(pair: tuple[RunView, RunView]) -> None:
    first, other = (
        answers.section(v, verdict_section.summary(v), differences.section(v), None, neighbours.section(v))
        for v in pair
    )
    assert first.figure == other.figure
    assert first.decoders == other.decoders
    assert [(name, [e[:4] for e in map(astuple, row)]) for name, row in first.matrix.rows if name != "barycentre"] == [
        (name, [e[:4] for e in map(astuple, row)]) for name, row in other.matrix.rows
    ]
    (entries,) = (entries for name, entries in first.matrix.rows if name == "barycentre")
    assert [(e.text, e.note, e.best) for e in entries] == [("", "diverged on 3 faces", False)] * 2


def test_headline_and_best_cells_are_those_without_the_cell(pair: tuple[RunView, RunView]) -> None:
    view, without = pair
    assert [(h.cell.id, h.roles, h.dash) for h in view.headline] == [
        (h.cell.id, h.roles, h.dash) for h in without.headline
    ]


def test_network_that_only_diverged_is_still_shown(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_report_run(tmp_path / "run", models=("net",), decoders=("barycentre",), flips=("none",), faces=20)
    cell = run.record.cells[0].id
    points = run.landmarks(cell)
    points[4] += 1e6
    Run.write_cell(run.path, cell, points, run.confidence(cell))
    text = reports.html(Run.open(run.path))
    assert "diverged on 1 face" in text
    assert text.endswith("</html>\n")
