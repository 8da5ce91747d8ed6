"""Cost and error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from nmebench.reports.sections import cost
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def test_page_without_times_says_not_timed(small_run: Run) -> None:
    found = cost.section(RunView(small_run), timings=False)
    assert found is not None
    assert {(row.forward, row.decode) for row in found.rows} == {("not timed", "not timed")}
    assert found.figure is None
    assert [row.parameters for row in found.rows] == ["9.66", "9.66"]


def test_times_are_milliseconds_per_face(small_run: Run, tmp_path: Path) -> None:
    shutil.copytree(small_run.path, tmp_path / "run")
    view = RunView(Run.open(tmp_path / "run"))
    models = {name: {"stages": {"forward": 1.5 + i}} for i, name in enumerate(view.models)}
    cells = {cell.id: 0.03 for cell in view.cells}
    (tmp_path / "run" / "timings.json").write_text(json.dumps({"models": models, "cells": cells}))
    found = cost.section(RunView(Run.open(tmp_path / "run")), timings=True)
    assert found is not None
    assert [(row.forward, row.decode) for row in found.rows] == [("25.00", "0.50"), ("41.67", "0.50")]
    assert found.timed
    assert found.figure is not None


def test_damaged_times_are_not_timed(small_run: Run, tmp_path: Path) -> None:
    shutil.copytree(small_run.path, tmp_path / "run")
    (tmp_path / "run" / "timings.json").write_text('{"models": [1], "cells": "x"}')
    found = cost.section(RunView(Run.open(tmp_path / "run")), timings=True)
    assert found is not None
    assert not found.timed
