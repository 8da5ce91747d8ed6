"""Provenance: the command, facts, and times on request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nmebench import reports
from nmebench.reports.sections import provenance
from nmebench.reports.view import RunView
from nmebench.runs.run_record import SourceRecord
from nmebench.runs.run_store import Run


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param(["nmebench", "run", "-o", "/tmp/a b"], "nmebench run -o RUN", id="folder"),
        pytest.param(["nmebench", "--output=/tmp/x"], "nmebench --output=RUN", id="folder with ="),
        pytest.param(["nmebench", "--data", "wflw:My Data"], "nmebench --data 'wflw:My Data'", id="quoted"),
    ],
)
def test_command_is_quoted_for_a_shell(words: list[str], shown: str) -> None:
    assert provenance.command(words) == shown


def test_long_card_fields_are_cut_with_a_note(make_report_run: Any, tmp_path: Any) -> None:
    run = make_report_run(
        tmp_path / "run",
        models=("net",),
        decoders=("argmax",),
        flips=("none",),
        faces=10,
        card={"source": "x" * 10_000_000},
    )
    facts = dict(provenance.provenance(RunView(run)).models[0].facts)
    assert facts["Card: source"].endswith("(cut, 10000000 characters)")
    assert len(reports.html(run)) < 1_000_000


def test_provenance_has_uncommitted_changes_but_not_the_machine(small_run: Run) -> None:
    found = provenance.provenance(RunView(small_run))
    assert dict(found.code)["Commit"].endswith("with uncommitted changes")
    text = reports.html(small_run)
    assert "an x86-64" not in text
    assert str(small_run.path) not in text


def test_page_has_times_on_request(small_run: Run) -> None:
    text = reports.html(small_run, timings=True)
    assert "an x86-64" in text
    assert "80.25" in text


def test_notes_of_models_and_sources_of_plugins_are_shown(small_run: Run) -> None:
    record = small_run.record
    source = SourceRecord(
        name="net<x>",
        used_by=["model net"],
        distribution="net",
        version="1.2",
        sha256="a" * 64,
        requirements={"numpy": "2.0 0123"},
        git_commit="b" * 40,
        git_dirty=True,
    )
    code = record.provenance.model_copy(update={"plugins": [source]})
    model = record.models[0].model_copy(update={"notes": ["mean is <1"]})
    changed = record.model_copy(update={"provenance": code, "models": [model, *record.models[1:]]})
    facts = provenance.provenance(RunView(replace(small_run, record=changed)))
    assert ("Note", "mean is <1") in facts.models[0].facts
    assert dict(facts.plugins[0].facts) == {
        "Used by": "model net",
        "Distribution": "net 1.2",
        "Commit": "b" * 40 + " with uncommitted changes",
        "SHA-256 of the sources": "a" * 64,
        "Requires": "numpy 2.0",
    }
    page = reports.html(replace(small_run, record=changed))
    assert "Source of <bdi>net&lt;x&gt;</bdi>" in page
    assert "mean is &lt;1" in page
