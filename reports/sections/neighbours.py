"""Published results beside the measured ones: the next better and the next worse row of the literature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nmebench import published
from nmebench.published.rows import PublishedRow
from nmebench.reports.render.text import display, number, sentence_list
from nmebench.reports.view import HeadlineCell, RunView

__all__ = ["NeighbourRow", "Neighbours", "obstacle", "section"]


@dataclass(frozen=True)
class NeighbourRow:
    """A headline cell between two published rows."""

    headline: HeadlineCell
    nme: str
    better: str
    """The published row with the next lower NME: ``X (3.94)``; empty if there is none."""
    worse: str
    """The published row with the next higher or equal NME."""


@dataclass(frozen=True)
class Neighbours:
    """The headline cells with their neighbours, or the reason why there are none."""

    rows: tuple[NeighbourRow, ...]
    obstacle: str
    published: int
    """Number of published rows on this data set."""


def section(view: RunView) -> Neighbours | None:
    """The neighbours of every headline cell by NME over all faces; None without cells.

    Where nothing is comparable, each network has one row.
    """
    if not view.cells:
        return None
    dataset = view.run.record.dataset
    candidates = [
        row
        for row in published.load()
        if row.dataset == dataset.name
        and "test" in row.nme
        and not row.doubt("nme", "test")
        and row.protocol.space is None
        and row.protocol.normaliser in (None, view.run.record.normaliser)
    ]
    why = obstacle(view, candidates)
    rows = []
    seen: set[str] = set()
    for headline in view.headline:
        if why and headline.cell.model in seen:
            continue
        seen.add(headline.cell.model)
        nme = float(view.nme[headline.cell.index].mean())
        hidden = bool(why) or bool(headline.cell.diverged) or bool(headline.cell.mapping)
        better, worse = ("", "") if hidden else _neighbours(nme, candidates)
        rows.append(NeighbourRow(headline, number(nme, 2 if nme < 1000 else 0), better, worse))
    return Neighbours(tuple(rows), why, len(candidates))


def obstacle(view: RunView, candidates: Sequence[PublishedRow]) -> str:
    """The reason why no cell of a run is comparable with published rows; empty if there is none."""
    dataset = view.run.record.dataset
    if not candidates:
        measured = sorted({display(row.dataset, 40) for row in published.load()})
        return f"this run measured {display(dataset.name, 40)}; published rows are known for {sentence_list(measured)}"
    if all(cell.mapping for cell in view.cells):
        mappings = sentence_list(list(dict.fromkeys(cell.mapping for cell in view.cells)))
        return f"the networks were measured through the mapping {mappings}, and published ones are of this scheme"
    if not dataset.complete:
        return f"this run has {display(dataset.describe(), 80)}, and published values are for the full set"
    return ""


def _neighbours(nme: float, rows: Sequence[PublishedRow]) -> tuple[str, str]:
    """The nearest published row below ``nme`` and the nearest one at or above it."""
    below = [row for row in rows if float(row.nme["test"]) < nme]
    above = [row for row in rows if float(row.nme["test"]) >= nme]
    better = max(below, key=lambda row: row.nme["test"]) if below else None
    worse = min(above, key=lambda row: row.nme["test"]) if above else None
    return _text(better), _text(worse)


def _text(row: PublishedRow | None) -> str:
    return "" if row is None else f"{display(row.method, 60)} ({row.nme['test']})"
