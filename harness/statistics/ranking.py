"""Ranking of cells with ties where the data can't tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nmebench.statistics.holm import holm
from nmebench.statistics.paired import paired_differences

__all__ = ["Ranked", "ranking"]


@dataclass(frozen=True)
class Ranked:
    """A cell's place. ``tied`` names the cells that it can't be told from."""

    cell: str
    nme: float
    rank: int
    tied: tuple[str, ...]


def ranking(cells: Mapping[str, ArrayLike], clusters: ArrayLike, *, level: float = 0.95) -> list[Ranked]:
    """Rank cells by NME on the same faces, best first.

    A cell's rank is one more than the number of cells that are significantly better, by the paired test with
    Holm's correction over all pairs. Cells that can't be told apart may share a rank; ``tied`` lists them,
    since not being told apart isn't transitive.

    Args:
        cells: name to NME of each face, percent ``[N]``.
        clusters: int ``[N]``: the number of each face's source image.
        level: a difference is significant when its adjusted p is under ``1 - level``.

    Raises:
        ValueError: shapes that don't fit, no faces, values that aren't finite.
    """
    if not cells:
        return []
    names = list(cells)
    pairs = paired_differences([np.asarray(v, np.float64) for v in cells.values()], clusters, level=level)
    upper = np.triu_indices(len(names), 1)
    significant = np.zeros((len(names), len(names)), bool)
    significant[upper] = holm(pairs.p[upper]) < 1 - level
    significant |= significant.T
    means = [float(np.mean(np.asarray(v, np.float64))) for v in cells.values()]
    better = significant & (pairs.difference > 0)
    rank = 1 + better.sum(axis=0)
    ranked = [
        Ranked(
            names[i],
            means[i],
            int(rank[i]),
            tuple(n for j, n in enumerate(names) if j != i and not significant[i, j]),
        )
        for i in range(len(names))
    ]
    return sorted(ranked, key=lambda r: (r.rank, r.nme, r.cell))
