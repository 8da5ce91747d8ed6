"""The simulations of docs/history.md: the stored counts are those of the page and of the tool."""

from __future__ import annotations

import csv
from pathlib import Path

import simulate_history

PAGE = (Path(__file__).resolve().parents[2] / "docs/history.md").read_text(encoding="utf-8")
ROWS = list(csv.DictReader(simulate_history.OUT.read_text(encoding="utf-8").splitlines()))


def test_page_shows_the_stored_counts() -> None:
    planted, quiet, *single = ROWS
    assert f"in {planted['histories']} simulated histories" in PAGE
    assert f"both found in {planted['found']}, within one commit; in {planted['elsewhere']}, a step" in PAGE
    assert f"In {quiet['histories']} histories without steps,\na step was found in {quiet['elsewhere']}." in PAGE
    table = [f"| {row['standard_deviation']} | {row['found']} | {row['elsewhere']} |" for row in single]
    assert "\n".join(table) in PAGE
    assert {row["histories"] for row in single} == {"200"}


def test_tool_counts_as_stored() -> None:
    """A part of the simulations."""
    assert simulate_history.single(200, 0.005) == (int(ROWS[2]["found"]), int(ROWS[2]["elsewhere"]))
    assert simulate_history.histories(1, 0, planted=True) == (1, 0)
    assert simulate_history.histories(1, 1000, planted=False) == (0, 0)
