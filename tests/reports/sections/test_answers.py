"""The first screen: three answers, the matrix of gains and the figure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nmebench.reports.sections import answers, differences, neighbours
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
    assert found.details[0].startswith("Largest deviation: +0.320 points (hrnetv2-w18-dark")
    assert "measured 7.310, reported 6.99" in found.details[0]
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
    bests = [sum(entries[column].best for _, entries in matrix.rows) for column in range(len(view.models))]
    assert all(number <= 1 for number in bests)


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
