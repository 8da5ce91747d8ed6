"""Effect of the box: the NME under each box rule, everything else being equal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmebench.reports.render.text import number
from nmebench.reports.view import CellView, RunView

__all__ = ["BoxComparison", "BoxRow", "section"]


@dataclass(frozen=True)
class BoxRow:
    """NME over all faces by box rule, for one network, decoder and flip test."""

    cell: CellView
    texts: tuple[str, ...]
    values: tuple[float, ...]
    """Percent; NaN without such a cell."""
    spread: str
    spread_value: float
    """Largest minus smallest value, percent points."""


@dataclass(frozen=True)
class BoxComparison:
    """The box rules of a run side by side."""

    names: tuple[str, ...]
    rows: tuple[BoxRow, ...]


def section(view: RunView) -> BoxComparison | None:
    """Compare the box rules; None if the run has only one."""
    names = view.distinct("box")
    if len(names) < 2:
        return None
    cells_by_box: dict[tuple[str, str, str], dict[str, CellView]] = {}
    for cell in view.cells:
        cells_by_box.setdefault((cell.model, cell.decoder, cell.flip), {})[cell.box] = cell
    means = view.nme.mean(1)
    rows = []
    for by_box in cells_by_box.values():
        values = tuple(float(means[by_box[b].index]) if b in by_box else float("nan") for b in names)
        spread = float(np.nanmax(values) - np.nanmin(values))
        first = next(by_box[b] for b in names if b in by_box)
        rows.append(BoxRow(first, tuple(number(v, 3) for v in values), values, number(spread, 3), spread))
    return BoxComparison(names, tuple(rows))
