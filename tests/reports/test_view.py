"""The report's view of a run: labels, colours, baselines and best cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nmebench.protocol import SUBSETS
from nmebench.reports.view import BEST, COLOURS, COMMITTED, REPORTED, RunView, short_names
from nmebench.reproduction import expected
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


def test_headline_has_the_reported_and_the_best_cell_of_each_network(small_run: Run) -> None:
    view = RunView(small_run)
    by_model = {model: [h for h in view.headline if h.cell.model == model] for model in view.models}
    for model, cells in by_model.items():
        roles = [role for head in cells for role in head.roles]
        assert sorted(roles) == sorted([REPORTED, BEST])
        best = next(head.cell for head in cells if BEST in head.roles)
        assert best == view.best_of_model[model]
    # The verdict compares the first network's first cell; the card of the second names dark with a shifted flip test.
    reported = [head.cell for head in view.headline if REPORTED in head.roles]
    assert reported[0].id == small_run.record.cells[0].id
    assert (reported[1].decoder, reported[1].flip, reported[1].box) == ("dark", "flip+shift", "landmarks")


def test_headline_cells_of_one_colour_have_different_dashes(small_run: Run) -> None:
    styles = [(head.cell.colour, head.dash) for head in RunView(small_run).headline]
    assert len(set(styles)) == len(styles)


def test_damaged_card_leaves_the_best_cell(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_report_run(tmp_path / "run", models=("net",), faces=10, with_verdict=False, card={"test": "not a table"})
    assert [head.roles for head in RunView(run).headline] == [(BEST,)]


def test_constant_parts_are_listed_once(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_report_run(tmp_path / "run", models=("net",), decoders=("argmax", "dark"), flips=("none",), faces=10)
    assert RunView(run).constant == (("network", "net"), ("flip test", "none"), ("box", "landmarks"))


def test_name_of_the_committed_table_is_that_of_the_embedded_benchmark() -> None:
    assert COMMITTED == expected.TABLE


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["synthface-hrnet", "synthface-mobile"], ("hrnet", "mobile")),
        (["net-a", "net-a"], ("a", "a")),
        (["abc", "abd"], ("abc", "abd")),
        (["a-", "a-b"], ("a-", "b")),
    ],
)
def test_short_names(names: list[str], short: tuple[str, ...]) -> None:
    assert short_names(names) == short
