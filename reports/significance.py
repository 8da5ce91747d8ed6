"""Which differences count: paired comparisons of cells on the same faces, faces of one photograph kept together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nmebench.statistics import holm, paired_difference

__all__ = ["LEVEL", "Paired", "best_and_ties", "paired_with_holm"]

#: A Holm-adjusted p below this is called significant.
LEVEL = 0.05


@dataclass(frozen=True)
class Paired:
    """Mean difference (first minus second), its 95 % interval, p and Holm-adjusted p."""

    difference: float
    low: float
    high: float
    p: float
    p_holm: float


def paired_with_holm(
    pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], clusters: NDArray[np.int64]
) -> tuple[Paired, ...]:
    """First minus second of every pair of ``[N]`` values, Holm's correction over all pairs.

    Faces without a number in one of the two are left out of that pair; with none left everything is NaN and p 1.
    """
    found = []
    for first, second in pairs:
        known = np.isfinite(first) & np.isfinite(second)
        if known.any():
            d = paired_difference(second[known], first[known], clusters[known])
            found.append((d.difference, d.low, d.high, d.p))
        else:
            found.append((float("nan"), float("nan"), float("nan"), 1.0))
    adjusted = holm([p for *_, p in found])
    return tuple(Paired(*entry, float(h)) for entry, h in zip(found, adjusted, strict=True))


def best_and_ties(
    values: NDArray[np.float64], clusters: NDArray[np.int64], *, lower_is_better: bool
) -> tuple[str, ...]:
    """``best`` for the cell with the best mean over faces, ``tie`` for those not significantly different from it.

    Args:
        values: ``[C, N]``, what the metric averages over faces.
        clusters: int ``[N]``, the number of each face's source image.
        lower_is_better: false for AUC.

    Returns:
        A mark for each cell, empty where it is significantly worse (Holm over the comparisons with the best).
        All empty for a single cell or no faces: there is nothing to be best of.
    """
    if len(values) < 2 or not np.isfinite(values).any():
        return ("",) * len(values)
    known = np.isfinite(values)
    means = np.where(known, values, 0).sum(1) / np.maximum(known.sum(1), 1)
    means = np.where(known.any(1), means if lower_is_better else -means, np.inf)
    best = int(np.argmin(means))
    others = [i for i in range(len(values)) if i != best]
    found = paired_with_holm([(values[i], values[best]) for i in others], clusters)
    marks = {i: "" if p.p_holm < LEVEL else "tie" for i, p in zip(others, found, strict=True)}
    return tuple("best" if i == best else marks[i] for i in range(len(values)))
