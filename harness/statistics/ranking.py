"""Ranking of cells, with ties where a difference is not significant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nmebench.statistics.holm import holm
from nmebench.statistics.paired import paired_differences

__all__ = ["RankedCell", "ranking"]


@dataclass(frozen=True)
class RankedCell:
    """A cell's rank, and the cells that are not significantly different from it."""

    cell: str
    nme: float
    """Mean over faces, percent."""
    rank: int
    tied: tuple[str, ...]


def ranking(
    cells: Mapping[str, ArrayLike],
    clusters: ArrayLike,
    *,
    level: float = 0.95,
    adjusted: Mapping[frozenset[str], float] | None = None,
) -> list[RankedCell]:
    """Rank cells by their NME on the same faces, best first.

    A cell's rank is 1 plus the number of cells that are significantly better, by the paired test with Holm's
    correction over all pairs. "Not significantly different" is not transitive, so each cell lists its own ties.

    Args:
        cells: name to NME per face, percent ``[N]``.
        clusters: int ``[N]``, the number of each face's photograph.
        level: a difference is significant when its adjusted p is below ``1 - level``.
        adjusted: the adjusted p of every pair of names, where the cells are a part of a larger comparison whose results
            are printed too; None adjusts over the pairs of these cells.

    Returns:
        The cells, ordered by rank, then NME, then name.

    Raises:
        ValueError: the shapes do not fit, there are no faces, or a value is not finite.

    Example:
        >>> hard = np.linspace(2, 8, 40)
        >>> cells = {"dark": hard, "argmax": hard + 0.5 + 0.1 * np.sin(np.arange(40.0))}
        >>> [(r.cell, r.rank, r.tied) for r in ranking(cells, np.arange(40))]
        [('dark', 1, ()), ('argmax', 2, ())]
    """
    if not cells:
        return []
    names = list(cells)
    pairs = paired_differences([np.asarray(v, np.float64) for v in cells.values()], clusters)
    upper = np.triu_indices(len(names), 1)
    significant = np.zeros((len(names), len(names)), bool)
    if adjusted is None:
        significant[upper] = holm(pairs.p[upper]) < 1 - level
    else:
        p = [adjusted[frozenset((names[a], names[b]))] for a, b in zip(*upper, strict=True)]
        significant[upper] = np.asarray(p) < 1 - level
    significant |= significant.T
    means = [float(np.mean(np.asarray(v, np.float64))) for v in cells.values()]
    better = significant & (pairs.difference > 0)
    rank = 1 + better.sum(axis=0)
    ranked = [
        RankedCell(
            names[i],
            means[i],
            int(rank[i]),
            tuple(n for j, n in enumerate(names) if j != i and not significant[i, j]),
        )
        for i in range(len(names))
    ]
    return sorted(ranked, key=lambda r: (r.rank, r.nme, r.cell))
