"""Decoder counts: empty heatmaps, long steps and the like."""

from __future__ import annotations

from dataclasses import dataclass

from nmebench.reports.view import CellView, RunView

__all__ = ["CountRow", "DecoderCounts", "section"]


@dataclass(frozen=True)
class CountRow:
    """The counts of one cell; None where its decoder does not count that event."""

    cell: CellView
    values: tuple[int | None, ...]


@dataclass(frozen=True)
class DecoderCounts:
    """Names of the counts and one row per cell that has any."""

    names: tuple[str, ...]
    rows: tuple[CountRow, ...]


def section(view: RunView) -> DecoderCounts | None:
    """Collect the counts of all cells; None if no decoder counted anything."""
    counts = [view.run.record.cells[c.index].counts for c in view.cells]
    names = tuple(sorted({name for of_cell in counts for name in of_cell}))
    rows = tuple(
        CountRow(cell, tuple(of_cell.get(name) for name in names))
        for cell, of_cell in zip(view.cells, counts, strict=True)
        if of_cell
    )
    return DecoderCounts(names, rows) if rows else None
