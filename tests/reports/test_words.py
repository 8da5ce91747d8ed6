"""Verdict, provenance and downloads: what the page says in words and gives to take along."""

from __future__ import annotations

import base64
import csv
import io
from typing import Any

import pytest

from nmebench import reports
from nmebench.reports.sections import downloads, provenance, verdict
from nmebench.reports.sections.tables import section as metric_tables
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def _row(status: str, **fields: Any) -> dict[str, Any]:
    return {"status": status, "reason": "because", "metric": "nme", "reported": 3.98, "reported_text": "3.98", **fields}


@pytest.mark.parametrize(
    ("rows", "sentence", "tone"),
    [
        pytest.param(
            None,
            "Nothing was compared with reported numbers yet: `nmebench check RUN` does that.",
            "open",
            id="unchecked",
        ),
        pytest.param([], "No reported number applies to this run.", "open", id="nothing reported"),
        pytest.param([_row("reproduced")], "The one compared number was reproduced.", "good", id="one"),
        pytest.param([_row("reproduced")] * 7, "All 7 compared numbers were reproduced.", "good", id="all"),
        pytest.param(
            [_row("reproduced"), _row("deviates")],
            "1 of 2 compared numbers deviates from its report.",
            "bad",
            id="one deviates",
        ),
        pytest.param(
            [_row("not comparable", reason="143 of 2500 faces")] * 7,
            "None of 7 reported numbers was comparable: 143 of 2500 faces.",
            "open",
            id="partial",
        ),
        pytest.param([_row("not run")], "The one reported number was not comparable.", "open", id="not run"),
    ],
)
def test_verdict_in_a_sentence(small_run: Run, monkeypatch: Any, rows: Any, sentence: str, tone: str) -> None:
    monkeypatch.setattr(Run, "read_json", lambda self, name: None if rows is None else {"rows": rows})
    found = verdict.section(RunView(small_run))
    assert (found.sentence, found.tone) == (sentence, tone)


def test_verdict_rows_have_printed_digits_and_deviations_first(small_run: Run) -> None:
    found = verdict.section(RunView(small_run))
    assert [r.status for r in found.rows][:2] == ["deviates", "deviates"]
    first = found.rows[0]
    assert (first.reported, first.measured, first.difference) == ("6.99", "7.310", "+0.320")
    assert dict(found.counts) == {"deviates": 2, "reproduced": 2, "not comparable": 1, "not run": 1}


def test_shared_causes_stand_once(small_run: Run) -> None:
    deviating = [r for r in verdict.section(RunView(small_run)).rows if r.status == "deviates"]
    assert [len(r.causes) for r in deviating] == [1, 0]
    assert deviating[0].causes_of == 2
    assert deviating[0].causes[0].explains
    assert "97 %" in deviating[0].causes[0].detail


@pytest.mark.parametrize("source", ["javascript:alert(1)", "http://plain", "a paper, table 2", "https://" + "x" * 600])
def test_only_short_https_sources_become_links(small_run: Run, monkeypatch: Any, source: str) -> None:
    monkeypatch.setattr(Run, "read_json", lambda self, name: {"rows": [_row("reproduced", source=source)]})
    assert verdict.section(RunView(small_run)).rows[0].link == ""


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param(["nmebench", "run", "-o", "/tmp/a b"], "nmebench run -o RUN", id="folder"),
        pytest.param(["nmebench", "--output=/tmp/x"], "nmebench --output=RUN", id="folder with ="),
        pytest.param(["nmebench", "--data", "wflw:My Data"], "nmebench --data 'wflw:My Data'", id="quoted"),
    ],
)
def test_command_repeats_for_a_shell(words: list[str], shown: str) -> None:
    assert provenance.command(words) == shown


def test_overlong_card_fields_are_cut_with_a_note(make_run: Any, tmp_path: Any) -> None:
    run = make_run(
        tmp_path / "run",
        models=("net",),
        decoders=("argmax",),
        flips=("none",),
        faces=10,
        card={"source": "x" * 10_000_000},
    )
    facts = dict(provenance.section(RunView(run)).models[0].facts)
    assert facts["Card: source"].endswith("(cut, 10000000 characters)")
    assert len(reports.html(run)) < 1_000_000


def test_provenance_says_dirty_and_leaves_the_machine_out(small_run: Run) -> None:
    found = provenance.section(RunView(small_run))
    assert dict(found.code)["Commit"].endswith("with uncommitted changes")
    text = reports.html(small_run)
    assert "an x86-64" not in text
    assert str(small_run.path) not in text


def test_timings_on_request(small_run: Run) -> None:
    text = reports.html(small_run, timings=True)
    assert "an x86-64" in text
    assert "80.25" in text


def test_counts_of_every_cell(small_run: Run) -> None:
    names, rows = provenance.counts_table(RunView(small_run))
    assert names == ("empty", "maps", "steps_over_1px")
    assert [values for _, values in rows] == [tuple(c.counts[n] for n in names) for c in small_run.record.cells]


def test_markdown_tables_hold_every_number(small_run: Run) -> None:
    text = reports.markdown_tables(small_run)
    assert "60 of 2500 faces" in text
    assert "not comparable with values of the whole set" in text
    tables = metric_tables(RunView(small_run))
    rows = [line for line in text.splitlines() if line.startswith("| hrnet")]
    assert len(rows) == 3 * len(small_run.record.cells)
    assert f"**{min(r.values[0].text for r in tables[0].rows)}**" in text
    assert len({line.count("|") for line in rows}) == 1


@pytest.mark.parametrize("name", ["a|b", "<script>", "*x*", "[link](javascript:1)"])
def test_names_cannot_break_out_of_markdown_or_latex(make_run: Any, tmp_path: Any, name: str) -> None:
    run = make_run(tmp_path / "run", models=(name + "_%$&", "b"), decoders=("argmax",), flips=("none",), faces=10)
    rows = [line for line in reports.markdown_tables(run).splitlines() if line.startswith("| ") and "argmax" in line]
    unescaped = [line.replace("\\|", "") for line in rows]
    assert {line.count("|") for line in unescaped} == {12}
    assert "<script>" not in reports.markdown_tables(run)
    latex = reports.latex_tables(run)
    assert r"\_\%\$\&" in latex
    body = [line for line in latex.splitlines() if line.endswith(r"\\") and "argmax" in line]
    assert {line.replace(r"\&", "").count("&") for line in body} == {10}


def test_downloads_decode_to_what_they_say(small_run: Run) -> None:
    view = RunView(small_run)
    tables = metric_tables(view)
    links = {d.name: d for d in downloads.section(view, tables, None)}
    assert set(links) == {"scores.csv", "tables.md", "tables.tex"}
    text = base64.b64decode(links["scores.csv"].uri.partition("base64,")[2]).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [float(r["nme"]) for r in rows] == pytest.approx(small_run.scores["nme"].tolist())


def test_too_large_downloads_stay_out(small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "LIMIT", 10)
    view = RunView(small_run)
    assert all(d.uri == "" for d in downloads.section(view, metric_tables(view), None))
