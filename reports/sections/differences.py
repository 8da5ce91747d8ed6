"""Decoders against the plain one on the same heatmaps: paired differences, the forest plot and box sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmebench.reports.render.text import number, pvalue, signed
from nmebench.reports.significance import Paired, paired_with_holm
from nmebench.reports.view import CellView, RunView

__all__ = ["BoxRow", "DecoderDifference", "DifferenceBoxes", "Forest", "Scale", "boxes", "nice", "section"]


@dataclass(frozen=True)
class DecoderDifference:
    """A decoder against the plain one: NME difference in percent points, and where it lies on the plot (0 to 100)."""

    cell: CellView
    baseline: CellView
    paired: Paired
    text: str
    interval: str
    p: str
    verdict: str
    at: float
    low: float
    high: float
    beyond: bool
    """Whether the difference lies outside the plot."""


@dataclass(frozen=True)
class Forest:
    """All differences on one scale from ``-reach`` to ``+reach`` percent points."""

    rows: tuple[DecoderDifference, ...]
    reach: str


def nice(value: float) -> float:
    """The next of 1, 2, 5 x 10^n at or above ``value``."""
    if not np.isfinite(value) or value <= 0:
        return 0.01
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= value * (1 - 1e-9)))


@dataclass(frozen=True)
class Scale:
    """A plot of differences from ``-reach`` to ``+reach``, percent points, and the digits that suit it."""

    reach: float
    digits: int

    @classmethod
    def of(cls, ends: Sequence[float]) -> Scale:
        """The scale that holds all ends of intervals, or most of them where a few are ten times as far out."""
        sizes = np.abs([e for e in ends if np.isfinite(e)])
        if not len(sizes):
            return cls(nice(0), 4)
        middle = float(np.median(sizes))
        reach = nice(float(sizes.max()) if sizes.max() <= 10 * middle or not middle else 3 * middle)
        return cls(reach, max(2, 2 - int(np.floor(np.log10(reach)))))

    def at(self, value: float) -> float:
        """Place of a difference on the plot, 0 to 100."""
        return round(50 + 50 * float(np.clip(np.nan_to_num(value) / self.reach, -1, 1)), 2)

    def signed(self, value: float) -> str:
        """A difference with its sign and the scale's digits."""
        return signed(value, 0 if abs(value) >= 1000 else self.digits)

    @property
    def text(self) -> str:
        """The reach."""
        return f"{self.reach:g}"


def section(view: RunView) -> Forest | None:
    """Every cell against its baseline (:attr:`View.baseline`), Holm over all of them; None with one decoder."""
    pairs = [(cell, view.cells[b]) for cell, b in zip(view.cells, view.baseline, strict=True) if b is not None]
    if not pairs:
        return None
    found = paired_with_holm(
        [(view.nme[cell.index], view.nme[base.index]) for cell, base in pairs], view.run.faces.clusters
    )
    scale = Scale.of([end for p in found for end in (p.low, p.high)])
    rows = tuple(
        DecoderDifference(
            cell,
            base,
            p,
            scale.signed(p.difference),
            f"{scale.signed(p.low)} to {scale.signed(p.high)}",
            pvalue(p.p_holm),
            _verdict(p),
            scale.at(p.difference),
            scale.at(p.low),
            scale.at(p.high),
            abs(p.difference) > scale.reach,
        )
        for (cell, base), p in zip(pairs, found, strict=True)
    )
    return Forest(rows, scale.text)


def _verdict(paired: Paired) -> str:
    if not paired.p_holm < 0.05:
        return "no significant difference"
    return "better" if paired.difference < 0 else "worse"


@dataclass(frozen=True)
class BoxRow:
    """NME over all faces by box rule for one network, decoder and flip option."""

    cell: CellView
    texts: tuple[str, ...]
    values: tuple[float, ...]
    spread: str
    spread_value: float


@dataclass(frozen=True)
class DifferenceBoxes:
    """How much the box rule alone moves the NME."""

    names: tuple[str, ...]
    rows: tuple[BoxRow, ...]


def boxes(view: RunView) -> DifferenceBoxes | None:
    """The box rules side by side; None when the run has one."""
    names = view.distinct("box")
    if len(names) < 2:
        return None
    table: dict[tuple[str, str, str], dict[str, CellView]] = {}
    for cell in view.cells:
        table.setdefault((cell.model, cell.decoder, cell.flip), {})[cell.box] = cell
    means = view.nme.mean(1)
    rows = []
    for by_box in table.values():
        values = tuple(float(means[by_box[b].index]) if b in by_box else float("nan") for b in names)
        spread = float(np.nanmax(values) - np.nanmin(values))
        first = next(by_box[b] for b in names if b in by_box)
        rows.append(BoxRow(first, tuple(number(v, 3) for v in values), values, number(spread, 3), spread))
    return DifferenceBoxes(names, tuple(rows))
