"""NME by attribute."""

from __future__ import annotations

from nmebench.reports.sections import attributes
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def test_plot_has_one_cell_per_network_and_every_subset(small_run: Run) -> None:
    view = RunView(small_run)
    found = attributes.section(view)
    assert found is not None
    assert [cell.model for cell in found.cells] == list(view.models)
    for cell in found.cells:
        for subset in view.masks:
            assert f"{subset} {float(view.scores[cell.id, subset]['nme']):.2f} %" in found.figure
    for subset, mask in view.masks.items():
        assert f"{subset} ({int(mask.sum())})" in found.figure
