"""Effect of the decoder: each decoder against the plain one on the same heatmaps, with paired intervals."""

from __future__ import annotations

from dataclasses import dataclass

from nmebench.reports.render.difference_scale import DifferenceScale
from nmebench.reports.render.text import p_value
from nmebench.reports.view import CellView, RunView
from nmebench.statistics import AdjustedDifference, paired_with_holm

__all__ = ["DecoderDifference", "DecoderDifferences", "section"]


@dataclass(frozen=True)
class DecoderDifference:
    """A decoder against the plain one: difference in NME, percent points, and its positions on the plot (0 to 100)."""

    cell: CellView
    baseline: CellView
    paired: AdjustedDifference
    text: str
    interval: str
    p: str
    position: float
    low: float
    high: float
    outside: bool
    """True if the difference is outside the plot."""


@dataclass(frozen=True)
class DecoderDifferences:
    """All differences on one scale from ``-reach`` to ``+reach`` percent points."""

    rows: tuple[DecoderDifference, ...]
    reach: str


def section(view: RunView) -> DecoderDifferences | None:
    """Compare every cell with its baseline (:attr:`RunView.baseline`); None if the run has only one decoder.

    Holm's correction covers all comparisons of the section.
    """
    pairs = [(cell, view.cells[b]) for cell, b in zip(view.cells, view.baseline, strict=True) if b is not None]
    if not pairs:
        return None
    differences = paired_with_holm(
        [(view.nme[base.index], view.nme[cell.index]) for cell, base in pairs], view.run.faces.clusters
    )
    scale = DifferenceScale.of([end for d in differences for end in (d.low, d.high)])
    rows = tuple(
        DecoderDifference(
            cell,
            base,
            d,
            scale.signed(d.difference),
            f"{scale.signed(d.low)} to {scale.signed(d.high)}",
            p_value(d.p_holm),
            scale.position(d.difference),
            scale.position(d.low),
            scale.position(d.high),
            scale.outside(d.difference),
        )
        for (cell, base), d in zip(pairs, differences, strict=True)
    )
    return DecoderDifferences(rows, scale.reach_text)
