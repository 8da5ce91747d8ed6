"""Decoder counts."""

from __future__ import annotations

from nmebench.reports.sections import counts
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def test_every_cell_has_its_counts(small_run: Run) -> None:
    found = counts.section(RunView(small_run))
    assert found is not None
    assert found.names == ("empty", "maps", "steps_over_1px")
    assert [row.values for row in found.rows] == [
        tuple(c.counts[n] for n in found.names) for c in small_run.record.cells
    ]
