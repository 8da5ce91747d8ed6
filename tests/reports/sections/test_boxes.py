"""Effect of the box."""

from __future__ import annotations

import pytest

from nmebench.reports.sections import boxes
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def test_box_rules_are_compared(small_run: Run) -> None:
    view = RunView(small_run)
    found = boxes.section(view)
    assert found is not None
    assert found.names == ("landmarks", "rect")
    assert len(found.rows) == len(view.cells) / 2
    for row in found.rows:
        assert row.spread_value == pytest.approx(max(row.values) - min(row.values))
