"""Effect of the box."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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


def test_boxes_of_different_networks_are_not_compared(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_report_run(tmp_path / "run", models=("a", "b"), decoders=("dark",), flips=("none",), faces=10,
                          boxes=("landmarks", "rect"))  # fmt: skip
    cells = [c for c in run.record.cells if (c.model, c.box) in (("a", "landmarks"), ("b", "rect"))]
    assert boxes.section(RunView(Run(run.path, run.record.model_copy(update={"cells": cells})))) is None
