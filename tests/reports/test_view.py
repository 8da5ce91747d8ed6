"""The report's view of a run: labels, colours, baselines and best cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from nmebench.protocol import SUBSETS
from nmebench.reports.view import COLOURS, RunView
from nmebench.runs.run_store import Run


def test_short_label_has_the_parts_that_differ(
    small_run: Run, make_report_run: Callable[..., Run], tmp_path: Path
) -> None:
    cell = RunView(small_run).cells[0]
    assert cell.short_label == "hrnetv2-w18-dark · argmax · no flip test · box landmarks" == cell.label
    run = make_report_run(tmp_path / "run", models=("net",), decoders=("argmax", "dark"), flips=("none",), faces=10)
    assert [c.short_label for c in RunView(run).cells] == ["argmax", "dark"]


def test_colours_repeat_dashed(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    models = tuple(f"net{i}" for i in range(COLOURS + 1))
    cells = RunView(
        make_report_run(tmp_path / "run", models=models, decoders=("dark",), flips=("none",), faces=10)
    ).cells
    assert [c.colour for c in cells] == [*range(COLOURS), 0]
    assert [c.dashed for c in cells] == [False] * COLOURS + [True]


def test_masks_are_in_table_order_and_not_empty(small_run: Run) -> None:
    masks = RunView(small_run).masks
    assert tuple(masks) == SUBSETS
    assert all(mask.any() for mask in masks.values())


def test_baseline_is_the_plain_decoder_of_the_same_protocol(small_run: Run) -> None:
    view = RunView(small_run)
    for cell, index in zip(view.cells, view.baseline, strict=True):
        assert (index is None) == (cell.decoder == "argmax")
        if index is not None:
            base = view.cells[index]
            assert (base.model, base.decoder, base.flip, base.box) == (cell.model, "argmax", cell.flip, cell.box)


def test_best_cell_of_each_network(small_run: Run) -> None:
    view = RunView(small_run)
    for model, best in view.best_of_model.items():
        others = [view.nme[c.index].mean() for c in view.cells if c.model == model]
        assert np.isclose(view.nme[best.index].mean(), min(others), rtol=0, atol=0)
