"""A set of cells in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nmebench.reports.sections.cell_groups import in_words
from nmebench.reports.view import CellView, RunView
from nmebench.runs.run_store import Run

DECODERS = ("argmax", "dark", "udp", "top2")


@pytest.fixture(scope="module")
def view(make_report_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> RunView:
    models = tuple(f"my-{letter}" for letter in "abcdef")
    return RunView(make_report_run(tmp_path_factory.mktemp("six") / "run", models=models, decoders=DECODERS, faces=20))


def _cells(view: RunView, model: str, *decoders: str) -> list[CellView]:
    return [cell for cell in view.cells if cell.model == model and (not decoders or cell.decoder in decoders)]


def test_cells_are_named_by_network(view: RunView) -> None:
    assert in_words(view, view.cells) == "all 48 cells"
    assert in_words(view, _cells(view, "my-a")) == "all 8 cells of a"
    assert in_words(view, _cells(view, "my-b", "dark", "udp")) == "4 cells of b (dark and udp)"
    assert in_words(view, _cells(view, "my-b")[:7]) == "7 cells of b"
    mixed = _cells(view, "my-b", "dark")[:1] + _cells(view, "my-a")
    assert in_words(view, mixed) == "all 8 cells of a and 1 cell of b (dark)"


def test_words_are_bounded(view: RunView) -> None:
    cells = [cell for cell in view.cells if cell.decoder == "dark"]
    words = in_words(view, cells)
    assert words == "2 cells of a (dark), 2 cells of b (dark), 2 cells of c (dark) and 6 cells of 3 other networks"


def test_one_network_is_not_named(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    view = RunView(make_report_run(tmp_path / "run", models=("net",), decoders=DECODERS, faces=20))
    assert in_words(view, view.cells[:2]) == "2 cells (argmax)"
