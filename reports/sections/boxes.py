"""Effect of the box: the NME under each box rule, everything else being equal."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Largest minus smallest value of the cells that did not diverge, percent points; NaN if all did."""


@dataclass(frozen=True)
class BoxComparison:
    """The box rules of a run side by side."""

    names: tuple[str, ...]
    rows: tuple[BoxRow, ...]
    headline: tuple[BoxRow, ...]
    """The rows of the headline cells' networks, decoders and flip tests."""


def section(view: RunView) -> BoxComparison | None:
    """Compare the box rules; None if no cell was measured under two of them."""
    names = view.distinct("box")
    if len(names) < 2:
        return None
    cells_by_box: dict[tuple[str, str, str], dict[str, CellView]] = {}
    for cell in view.cells:
        cells_by_box.setdefault((cell.model, cell.decoder, cell.flip), {})[cell.box] = cell
    means = view.nme.mean(1)
    rows = []
    for by_box in cells_by_box.values():
        if len(by_box) < 2:
            continue
        values = tuple(float(means[by_box[b].index]) if b in by_box else float("nan") for b in names)
        known = [v for b, v in zip(names, values, strict=True) if b in by_box and not by_box[b].diverged]
        spread = max(known) - min(known) if known else float("nan")
        first = next(by_box[b] for b in names if b in by_box)
        rows.append(BoxRow(first, tuple(number(v, 3) for v in values), values, number(spread, 3), spread))
    shown = {(h.cell.model, h.cell.decoder, h.cell.flip) for h in view.headline}
    headline = tuple(row for row in rows if (row.cell.model, row.cell.decoder, row.cell.flip) in shown)
    return BoxComparison(names, tuple(rows), headline or tuple(rows)) if rows else None
