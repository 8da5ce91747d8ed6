"""Published rows beside measured numbers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from nmebench import published
from nmebench.reports.sections import neighbours
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def test_partial_set_is_not_comparable(small_run: Run) -> None:
    found = neighbours.section(RunView(small_run))
    assert found is not None
    assert "60 of 2500 faces" in found.obstacle
    assert all((row.better, row.worse) == ("", "") for row in found.rows)
    assert len(found.rows) == 2


def test_other_data_set_is_not_comparable(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_report_run(tmp_path / "run", models=("net",), faces=20)
    dataset = run.record.dataset.model_copy(update={"name": "drawn"})
    view = RunView(Run(run.path, run.record.model_copy(update={"dataset": dataset})))
    found = neighbours.section(view)
    assert found is not None
    assert found.obstacle == (
        "this run measured drawn; published rows are known for 300w, 300w-private, aflw, cofw, cofw68, lapa and wflw"
    )


def test_neighbours_of_a_full_set_enclose_the_measured_number(small_run: Run) -> None:
    faces = {name: int(mask.sum()) for name, mask in small_run.faces.subsets.items()}
    dataset = small_run.record.dataset.model_copy(update={"expected": faces, "counts": faces})
    view = RunView(Run(small_run.path, small_run.record.model_copy(update={"dataset": dataset})))
    found = neighbours.section(view)
    assert found is not None
    assert found.obstacle == ""
    rows = [r for r in published.load() if r.dataset == "wflw" and "test" in r.nme and r.protocol.space is None]
    values = sorted(row.nme["test"] for row in rows if row.protocol.normaliser in (None, "inter-ocular"))
    assert len(values) == found.published
    for row in found.rows:
        nme = float(view.nme[row.headline.cell.index].mean())
        below = [value for value in values if float(value) < nme]
        above = [value for value in values if float(value) >= nme]
        assert row.better.endswith(f"({below[-1]})" if below else "")
        assert row.worse.endswith(f"({above[0]})" if above else "")
    assert all(isinstance(value, Decimal) for value in values)
