"""Effect of the decoder: each decoder compared with the plain one on the same heatmaps, with paired statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmebench.reports.render.difference_scale import DifferenceScale
from nmebench.reports.render.text import p_value
from nmebench.reports.view import CellView, RunView
from nmebench.statistics import AdjustedDifference, RankTest, best_and_ties, holm, paired_with_holm, rank_test
from nmebench.statistics.paired import ALPHA

__all__ = ["DecoderGain", "DecoderGains", "Ladder", "outcome_words", "section"]


@dataclass(frozen=True)
class DecoderGain:
    """A decoder compared with the plain one, in percent points of NME, and its positions on the plot (0 to 100).

    The gain is the plain decoder's NME minus the decoder's: positive where the decoder is better.
    """

    cell: CellView
    baseline: CellView
    paired: AdjustedDifference
    """The difference: the negative gain."""
    ranks: RankTest
    p_ranks: float
    """The p of the ranks, adjusted over all comparisons of the section."""
    text: str
    interval: str
    position: float
    low: float
    high: float
    outside: bool
    """True if the gain is outside the plot."""

    @property
    def outcome(self) -> str:
        """``better``, ``worse``, or a sentence where the mean and the ranks disagree; see :func:`outcome_words`."""
        return outcome_words(self.paired, self.ranks, self.p_ranks)

    @property
    def share(self) -> str:
        """Share of photographs on which the decoder has a lower NME."""
        return f"{100 * self.ranks.share_lower:.0f} %"

    @property
    def p(self) -> str:
        """The adjusted p of the mean and that of the ranks."""
        return f"{p_value(self.paired.p_holm)} / {p_value(self.p_ranks)}"


@dataclass(frozen=True)
class Ladder:
    """The decoders of one network, flip test and box: largest gain first, then those that aren't compared."""

    plain: CellView
    gains: tuple[DecoderGain, ...]
    left_out: tuple[tuple[CellView, str], ...]
    """Cells that are not compared, with the reason."""
    headline: bool
    """True if one of the network's headline cells has this flip test and box."""
    best: tuple[DecoderGain, ...]
    """The largest gain and those tied with it; empty if it isn't significant.

    A tied gain differs by less than the last shown decimal, or not significantly.
    """


@dataclass(frozen=True)
class DecoderGains:
    """All ladders on one scale from ``-reach`` to ``+reach`` percent points."""

    ladders: tuple[Ladder, ...]
    reach: str
    comparisons: int

    @property
    def shown(self) -> tuple[Ladder, ...]:
        """The ladders that the page shows first: one for each network."""
        first: dict[str, Ladder] = {}
        for ladder in sorted(self.ladders, key=lambda ladder: not ladder.headline):
            first.setdefault(ladder.plain.model, ladder)
        return tuple(ladder for ladder in self.ladders if ladder is first[ladder.plain.model])

    @property
    def others(self) -> tuple[Ladder, ...]:
        """The ladders behind "show all"."""
        return tuple(ladder for ladder in self.ladders if ladder not in self.shown)


def outcome_words(paired: AdjustedDifference, ranks: RankTest, p_ranks: float) -> str:
    """Describe a paired comparison by its mean and by its ranks, which one face can't decide.

    ``better`` and ``worse`` mean that both agree.
    """
    by_mean = paired.outcome if paired.outcome in ("better", "worse") else ""
    most = "better" if ranks.lower >= ranks.higher else "worse"
    by_ranks = most if p_ranks < ALPHA else ""
    if by_mean == by_ranks:
        return by_mean or "no significant difference"
    if not by_ranks and not (ranks.lower and ranks.higher):  # all agree, and no smaller p is possible
        return f"mean {by_mean}, too few faces for the ranks"
    if not by_ranks:
        return f"mean {by_mean}, ranks undecided: few faces decide"
    if not by_mean:
        return f"{by_ranks} on most faces, mean undecided"
    return f"mean {by_mean}, {by_ranks} on most faces: few faces decide"


def section(view: RunView) -> DecoderGains | None:
    """Compare every cell with its baseline (:attr:`RunView.baseline`); None if the run has only one decoder.

    Holm's correction covers all comparisons of the section. Diverged cells and presets on another grid are named and
    not compared.
    """
    pairs = [(cell, view.cells[b]) for cell, b in zip(view.cells, view.baseline, strict=True) if b is not None]
    if not pairs:
        return None
    clusters = view.run.faces.clusters
    nme = [(view.nme[base.index], view.nme[cell.index]) for cell, base in pairs]
    differences = paired_with_holm(nme, clusters)
    ranks = [rank_test(a, b, clusters) for a, b in nme]
    scale = DifferenceScale.of([end for d in differences for end in (d.low, d.high)])
    gains = [
        DecoderGain(
            cell,
            base,
            d,
            r,
            float(p),
            scale.signed(-d.difference),
            f"{scale.signed(-d.high)} to {scale.signed(-d.low)}",
            scale.position(-d.difference),
            scale.position(-d.high),
            scale.position(-d.low),
            scale.outside(d.difference),
        )
        for (cell, base), d, r, p in zip(pairs, differences, ranks, holm([r.p for r in ranks]), strict=True)
    ]
    return DecoderGains(_ladders(view, gains, 10.0**-scale.digits), scale.reach_text, len(gains))


def _ladders(view: RunView, gains: Sequence[DecoderGain], precision: float) -> tuple[Ladder, ...]:
    headline = {(h.cell.model, h.cell.flip, h.cell.box) for h in view.headline if h.cell is not None}
    ladders = []
    for plain in dict.fromkeys(gain.baseline for gain in gains):
        group = (plain.model, plain.flip, plain.box)
        mine = sorted((g for g in gains if g.baseline is plain), key=lambda g: g.paired.difference)
        left_out = [
            (cell, "decodes another grid than the network's" if cell.mixed else cell.diverged)
            for cell in view.cells
            if (cell.model, cell.flip, cell.box) == group and not cell.ranked
        ]
        ladders.append(Ladder(plain, tuple(mine), tuple(left_out), group in headline, _best(view, mine, precision)))
    return tuple(ladders)


def _best(view: RunView, gains: Sequence[DecoderGain], precision: float) -> tuple[DecoderGain, ...]:
    if not gains or gains[0].paired.outcome != "better":
        return ()
    nme = np.stack([view.nme[gain.cell.index] for gain in gains])
    marks = best_and_ties(nme, view.run.faces.clusters, lower_is_better=True, precision=precision)
    return tuple(gain for gain, mark in zip(gains, marks, strict=True) if mark or len(gains) == 1)
