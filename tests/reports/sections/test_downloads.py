"""Downloads: CSV, Markdown and LaTeX."""

from __future__ import annotations

import base64
import csv
import io
from typing import Any

import pytest

from nmebench import reports
from nmebench.reports.sections import downloads
from nmebench.reports.sections.scores import section as score_tables
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def test_markdown_tables_have_every_score(small_run: Run) -> None:
    text = reports.markdown_tables(small_run)
    assert "60 of 2500 faces" in text
    assert "not comparable with values for the full set" in text
    tables = score_tables(RunView(small_run))
    rows = [line for line in text.splitlines() if line.startswith("| hrnet")]
    assert len(rows) == 3 * len(small_run.record.cells)
    assert f"**{min(r.values[0].text for r in tables[0].rows)}**" in text
    assert len({line.count("|") for line in rows}) == 1


@pytest.mark.parametrize("name", ["a|b", "<script>", "*x*", "[link](javascript:1)"])
def test_names_are_escaped_in_markdown_and_latex(make_report_run: Any, tmp_path: Any, name: str) -> None:
    run = make_report_run(
        tmp_path / "run", models=(name + "_%$&", "b"), decoders=("argmax",), flips=("none",), faces=10
    )
    rows = [line for line in reports.markdown_tables(run).splitlines() if line.startswith("| ") and "argmax" in line]
    unescaped = [line.replace("\\|", "") for line in rows]
    assert {line.count("|") for line in unescaped} == {12}
    assert "<script>" not in reports.markdown_tables(run)
    latex = reports.latex_tables(run)
    assert r"\_\%\$\&" in latex
    body = [line for line in latex.splitlines() if line.endswith(r"\\") and "argmax" in line]
    assert {line.replace(r"\&", "").count("&") for line in body} == {10}


def test_downloads_decode_to_the_stored_scores(small_run: Run) -> None:
    view = RunView(small_run)
    tables = score_tables(view)
    links = {d.name: d for d in downloads.section(view, tables, None)}
    assert set(links) == {"scores.csv", "tables.md", "tables.tex"}
    text = base64.b64decode(links["scores.csv"].uri.partition("base64,")[2]).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [float(r["nme"]) for r in rows] == pytest.approx(small_run.scores["nme"].tolist())


def test_large_downloads_are_left_out(small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "LIMIT", 10)
    view = RunView(small_run)
    assert all(d.uri == "" for d in downloads.section(view, score_tables(view), None))
