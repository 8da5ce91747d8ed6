"""The first screen: three answers, the matrix of gains and the figure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import reports
from nmebench.reports.sections import answers, differences, first_figure, neighbours
from nmebench.reports.sections import verdict as verdict_section
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def _answers(view: RunView) -> answers.Answers:
    return answers.section(
        view, verdict_section.summary(view), differences.section(view), None, neighbours.section(view)
    )


def test_holds_names_the_table_the_counts_and_the_worst(small_run: Run) -> None:
    found = _answers(RunView(small_run)).holds
    assert (found.word, found.tone, found.link) == ("Deviates", "bad", "reported")
    assert found.sentence == "2 of 4 compared numbers of the model card's table mmpose 0.x deviate."
    assert found.details[0] == "The deviations are in 1 cell of w18-dark (argmax)."
    assert found.details[1].startswith("Largest deviation: +0.320 points (hrnetv2-w18-dark")
    assert "measured 7.310, reported 6.99" in found.details[1]
    assert "1 not comparable and 1 not run." in found.details


def test_unchecked_run_says_how_to_check(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_report_run(tmp_path / "run", models=("net",), faces=20, with_verdict=False)
    found = _answers(RunView(run)).holds
    assert found.word == "Not checked"
    assert "nmebench check RUN" in found.sentence


def test_matrix_has_the_gains_of_the_ladders(small_run: Run) -> None:
    view = RunView(small_run)
    gains = differences.section(view)
    matrix = _answers(view).matrix
    assert gains is not None
    assert matrix is not None
    assert matrix.plain == "argmax"
    assert [full for _, full in matrix.networks] == list(view.models)
    for decoder, entries in matrix.rows:
        for model, entry in zip(view.models, entries, strict=True):
            ladder = next(lad for lad in gains.shown if lad.plain.model == model)
            gain = next(g for g in ladder.gains if g.cell.decoder == decoder)
            assert (entry.text, entry.index) == (gain.text, gain.cell.index)
    for column, model in enumerate(view.models):
        ladder = next(lad for lad in gains.shown if lad.plain.model == model)
        marked = {entries[column].index for _, entries in matrix.rows if entries[column].best}
        assert marked == {gain.cell.index for gain in ladder.best}


def _with_nme(run: Run, nme: dict[str, Any]) -> RunView:
    """The run with another NME of the cells of some decoders; the files stay."""
    copy = Run(run.path, run.record)
    copy.__dict__["per_face"] = {c.id: nme.get(c.decoder, run.per_face[c.id]) for c in run.record.cells}
    return RunView(copy)


@pytest.fixture(scope="module")
def three_decoders(make_report_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("three") / "run"
    return make_report_run(path, models=("net",), decoders=("argmax", "dark", "udp"), flips=("none",), faces=60)


def test_decoders_closer_than_the_last_decimal_are_tied(three_decoders: Run) -> None:
    hard = np.linspace(3, 5, 60)
    view = _with_nme(three_decoders, {"argmax": hard + 0.6, "dark": hard, "udp": hard + 0.004})
    found = _answers(view)
    assert found.decoders.word == "Up to +0.60"
    assert found.decoders.sentence == "Points of NME over argmax: +0.60 (dark and udp, tied)."
    assert found.decoders.details == (
        "Tied: the paired difference is not significant, or smaller than the last decimal shown.",
    )
    assert found.matrix is not None
    assert found.matrix.tied
    assert [(name, entry.best) for name, (entry,) in found.matrix.rows] == [("dark", True), ("udp", True)]


def test_tie_that_is_not_significant_shows_its_own_gain(three_decoders: Run) -> None:
    hard, noise = np.linspace(3, 5, 60), np.random.default_rng(0).normal(0, 0.3, 60)
    noise += 0.04 - noise.mean()
    found = _answers(_with_nme(three_decoders, {"argmax": hard + 0.5, "dark": hard, "udp": hard + noise}))
    assert found.decoders.sentence == "Points of NME over argmax: +0.50 (dark and udp +0.46, tied)."


def test_decoder_that_is_significantly_best_is_named_alone(three_decoders: Run) -> None:
    hard = np.linspace(3, 5, 60)
    found = _answers(_with_nme(three_decoders, {"argmax": hard + 0.6, "dark": hard, "udp": hard + 0.02}))
    assert found.decoders.sentence == "Points of NME over argmax: +0.60 (dark)."
    assert found.matrix is not None
    assert not found.matrix.tied


def test_no_decoder_is_marked_without_a_significant_gain(three_decoders: Run) -> None:
    hard = np.linspace(3, 5, 60)
    found = _answers(_with_nme(three_decoders, {"argmax": hard, "dark": hard, "udp": hard + 0.02}))
    assert found.decoders.word == "No gain"
    assert found.matrix is not None
    assert not any(entry.best for _, entries in found.matrix.rows for entry in entries)


def test_matrix_states_the_protocol_in_the_order_of_the_figure(small_run: Run) -> None:
    view = RunView(small_run)
    found = _answers(view)
    assert found.matrix is not None
    assert (found.matrix.protocol, found.matrix.faces) == (found.figure_note, 60)
    order = first_figure.decoder_order(view, first_figure.shown_cells(view, differences.section(view)))
    assert [name for name, _ in found.matrix.rows] == [name for name in order if name != found.matrix.plain]
    text = reports.html(small_run, pictures=False)
    caption = re.search(r'<table class="matrix"><caption>(.*?)</caption>', text)
    assert caption is not None
    assert f"{found.figure_note[1:]}, all 60 faces; paired 95 % intervals." in caption[1]


def test_number_for_information_names_its_cell_and_its_table(small_run: Run, monkeypatch: Any) -> None:
    row = {"model": "hrnetv2-w18-dark", "metric": "nme", "subset": "test", "table": "T", "status": "not comparable"}
    row |= {"reported": 3.98, "reported_text": "3.98", "reason": "60 of 2500 faces"}
    monkeypatch.setattr(Run, "read_json", lambda self, name: {"rows": [row]})
    view = RunView(small_run)
    cell = view.reported_of_model["hrnetv2-w18-dark"]
    (line,) = _answers(view).holds.details[:1]
    assert line.startswith("For information: NME of test is ")
    assert f"(hrnetv2-w18-dark, {cell.label_without(('model',))}); the model card's table T reports 3.98." in line


@pytest.mark.parametrize(
    ("status", "difference", "words"),
    [
        ("reproduced", 0.005, "Largest difference: rounding only (hrnetv2"),
        ("reproduced", -0.00501, "Largest difference: rounding only (hrnetv2"),
        ("reproduced", 0.006, "Largest difference: +0.006 points (hrnetv2"),
        ("deviates", 0.005, "Largest deviation: +0.005 points (hrnetv2"),
    ],
)
def test_difference_below_the_printed_decimals_is_rounding(
    small_run: Run, monkeypatch: Any, status: str, difference: float, words: str
) -> None:
    row = {"model": "hrnetv2-w18-dark", "metric": "nme", "subset": "test", "table": "T", "status": status}
    row |= {"reported": 3.98, "reported_text": "3.98", "measured": 3.98 + difference, "difference": difference}
    monkeypatch.setattr(Run, "read_json", lambda self, name: {"rows": [row]})
    assert any(line.startswith(words) for line in _answers(RunView(small_run)).holds.details)


def test_presets_on_another_grid_are_named_and_not_in_the_matrix(
    make_report_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_report_run(tmp_path / "run", models=("a", "b"), decoders=("argmax", "dark", "udp"), faces=20)
    cells = [c.model_copy(update={"mixed": c.decoder == "udp"}) for c in run.record.cells]
    view = RunView(replace(run, record=run.record.model_copy(update={"cells": cells})))
    matrix = _answers(view).matrix
    assert matrix is not None
    assert [name for name, _ in matrix.rows] == ["dark"]
    assert matrix.left_out == "udp"


def test_change_without_a_baseline_says_how_to_give_one(small_run: Run) -> None:
    found = _answers(RunView(small_run)).change
    assert found.word == "Not compared"
    assert "`nmebench report RUN --baseline OLD`" in found.sentence


def test_one_decoder_has_no_matrix(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_report_run(tmp_path / "run", models=("a", "b"), decoders=("direct",), flips=("none",), faces=20)
    found = _answers(RunView(run))
    assert found.matrix is None
    assert found.decoders.sentence == (
        "The networks predict landmarks without a decoder, so there is nothing to compare."
    )


def test_partial_set_is_named(small_run: Run) -> None:
    found = _answers(RunView(small_run))
    assert found.partial.startswith("60 of 2500 faces: a part of the full set")
    assert found.run[0] == "60 of 2500 faces of wflw"


def test_figure_describes_every_point(small_run: Run) -> None:
    view = RunView(small_run)
    figure = _answers(view).figure
    assert figure is not None
    description = re.search(r"<desc[^>]*>(.*?)</desc>", figure)
    assert description is not None
    assert len(description[1].split("; ")) == 6  # two networks, three decoders
    for model in view.models:
        assert model in description[1]


@pytest.mark.parametrize(
    ("better", "worse", "words"),
    [("X (1)", "Y (2)", "between X (1) and Y (2)"), ("X (1)", "", "above the highest, X (1)"), ("", "", "")],
)
def test_between(better: Any, worse: Any, words: str) -> None:
    assert answers.between(better, worse) == words
