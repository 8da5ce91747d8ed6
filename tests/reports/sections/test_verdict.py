"""The verdict: its sentence, rows and causes."""

from __future__ import annotations

from typing import Any

import pytest

from nmebench.reports.sections import verdict
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def _row(status: str, **fields: Any) -> dict[str, Any]:
    return {"status": status, "reason": "because", "metric": "nme", "reported": 3.98, "reported_text": "3.98", **fields}


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
        pytest.param([_row("reproduced")], "The one compared number is reproduced.", "good", id="one"),
        pytest.param([_row("reproduced")] * 7, "All 7 compared numbers are reproduced.", "good", id="all"),
        pytest.param(
            [_row("reproduced"), _row("deviates")],
            "1 of 2 compared numbers deviates from the reported value.",
            "bad",
            id="one deviates",
        ),
        pytest.param(
            [_row("not comparable", reason="143 of 2500 faces")] * 7,
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


def test_run_summary_names_the_protocol(small_run: Run) -> None:
    run = verdict.section(RunView(small_run), None).run
    assert run.partial
    assert (run.faces, run.boxes, run.normaliser) == ("60 of 2500 faces", "landmarks and rect", "inter-ocular")
    assert run.best is None
