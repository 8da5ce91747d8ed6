"""The verdict: its sentence, rows and causes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nmebench import published
from nmebench.reports.sections import verdict
from nmebench.reports.view import RunView
from nmebench.reproduction import expected
from nmebench.runs.run_store import Run


def _row(status: str, **fields: Any) -> dict[str, Any]:
    compared = status in ("reproduced", "deviates")
    values = {"measured": 4.1, "difference": 0.12, "low": 3.945, "high": 4.015} if compared else {}
    row = {"status": status, "reason": "because", "metric": "nme", "reported": 3.98, "reported_text": "3.98"}
    return {**row, "model": "hrnetv2-w18-dark", "subset": "test", "table": "T", **values, **fields}


_PUBLISHED = {"table": "mmpose 0.x", "source": published.load()[0].source}


@pytest.mark.parametrize(
    ("rows", "sentence", "tone"),
    [
        pytest.param(
            None,
            "This run has not been compared with reported numbers yet: run `nmebench check RUN`.",
            "open",
            id="unchecked",
        ),
        pytest.param([], "No reported number applies to this run.", "open", id="nothing reported"),
        pytest.param(
            [_row("reproduced")], "The one compared number of the model card's table T is reproduced.", "good", id="one"
        ),
        pytest.param(
            [_row("reproduced", **_PUBLISHED)] * 7,
            "All 7 compared numbers of the published table mmpose 0.x are reproduced.",
            "good",
            id="published",
        ),
        pytest.param(
            [_row("reproduced", table=expected.TABLE)] * 7,
            "All 7 compared numbers of the committed table of the embedded benchmark are reproduced.",
            "good",
            id="committed",
        ),
        pytest.param(
            [_row("reproduced", **_PUBLISHED), _row("deviates", **_PUBLISHED)],
            "1 of 2 compared numbers of the published table mmpose 0.x deviates.",
            "bad",
            id="one deviates",
        ),
        pytest.param(
            [_row("not comparable", reason="143 of 2500 faces", **_PUBLISHED)] * 7,
            "None of 7 reported numbers is comparable: 143 of 2500 faces.",
            "open",
            id="partial",
        ),
        pytest.param([_row("not run")], "The one reported number is not comparable.", "open", id="not run"),
    ],
)
def test_sentence_and_tone(small_run: Run, monkeypatch: Any, rows: Any, sentence: str, tone: str) -> None:
    monkeypatch.setattr(Run, "read_json", lambda self, name: None if rows is None else {"rows": rows})
    found = verdict.summary(RunView(small_run))
    assert (found.sentence, found.tone) == (sentence, tone)


def test_worst_number_is_the_largest_in_units_of_the_allowed_difference(small_run: Run, monkeypatch: Any) -> None:
    rows = [
        _row("reproduced", subset="pose", difference=0.03, low=6.9, high=7.1),
        _row("deviates", subset="blur", difference=-0.02, low=4.565, high=4.575),
        _row("not run", subset="makeup"),
    ]
    monkeypatch.setattr(Run, "read_json", lambda self, name: {"rows": rows})
    found = verdict.summary(RunView(small_run))
    assert found.worst is not None
    assert found.worst.subset == "blur"
    assert found.worst.size == pytest.approx(4)


def test_number_that_is_not_comparable_is_measured_but_grey(small_run: Run) -> None:
    view = RunView(small_run)
    row = next(r for r in verdict.summary(view).rows if r.status == "not comparable")
    assert row.greyed
    assert float(row.measured) == pytest.approx(4.6, abs=1e-9)
    missing = next(r for r in verdict.summary(view).rows if r.status == "not run")
    assert (missing.measured, missing.greyed) == ("–", False)


def test_missing_measurement_is_that_of_the_nearest_cell(small_run: Run, monkeypatch: Any) -> None:
    monkeypatch.setattr(Run, "read_json", lambda self, name: {"rows": [_row("not comparable", measured=None)]})
    view = RunView(small_run)
    row = verdict.summary(view).rows[0]
    cell = view.reported_of_model["hrnetv2-w18-dark"]
    assert row.greyed
    assert float(row.measured) == pytest.approx(float(view.scores[cell.id, "test"]["nme"]), abs=5e-4)


def test_grid_has_every_number_once(small_run: Run) -> None:
    found = verdict.summary(RunView(small_run))
    lines = [line for _, lines in found.grid.rows for line in lines if line is not None]
    assert sorted(map(id, lines)) == sorted(map(id, found.rows))
    assert found.grid.subsets[0] == "test"


def test_rows_have_the_reported_decimals_and_deviations_first(small_run: Run) -> None:
    found = verdict.summary(RunView(small_run))
    assert [r.status for r in found.rows][:2] == ["deviates", "deviates"]
    first = found.rows[0]
    assert (first.reported, first.measured, first.difference) == ("6.99", "7.310", "+0.320")
    assert dict(found.counts) == {"deviates": 2, "reproduced": 2, "not comparable": 1, "not run": 1}


def test_shared_causes_are_shown_once(small_run: Run) -> None:
    deviating = [r for r in verdict.summary(RunView(small_run)).rows if r.status == "deviates"]
    assert [len(r.causes) for r in deviating] == [1, 0]
    assert deviating[0].causes_of == 2
    assert deviating[0].causes[0].explains
    assert "97 %" in deviating[0].causes[0].detail


@pytest.mark.parametrize("source", ["javascript:alert(1)", "http://plain", "a paper, table 2", "https://" + "x" * 600])
def test_only_short_https_sources_become_links(small_run: Run, monkeypatch: Any, source: str) -> None:
    monkeypatch.setattr(Run, "read_json", lambda self, name: {"rows": [_row("reproduced", source=source)]})
    assert verdict.summary(RunView(small_run)).rows[0].link == ""


def test_an_unchecked_run_of_a_sweep_names_the_sweep(make_run: Any, tmp_path: Path) -> None:
    run = make_run({("net", "dark", "none", "landmarks"): 4.0}, name="sweep/wflw")
    (tmp_path / "sweep/sweep.json").write_text("{}")
    assert verdict.summary(RunView(run)).sentence.endswith("run `nmebench check SWEEP`.")
