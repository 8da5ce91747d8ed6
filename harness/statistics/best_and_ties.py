"""The best cell of a table's column, and the cells that are not significantly different from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nmebench.statistics.paired import ALPHA, paired_with_holm

__all__ = ["best_and_ties"]


def best_and_ties(
    values: NDArray[np.float64], clusters: NDArray[np.int64], *, lower_is_better: bool, precision: float = 0.0
) -> tuple[str, ...]:
    """Mark the cell with the best mean over faces, and the cells that are not significantly different from it.

    The paired test of :func:`~nmebench.statistics.paired_difference` compares each cell with the best one; Holm's
    correction covers these comparisons.

    Args:
        values: ``[C, N]``, the values that the metric averages over faces, from :func:`~nmebench.metrics.per_face`.
        clusters: int ``[N]``, the number of each face's photograph.
        lower_is_better: true for NME and FR, false for AUC.
        precision: the last shown decimal, such as 0.01. A mean nearer to the best one than this is a tie too.

    Returns:
        For each cell ``best``, ``tie`` or, if it is significantly worse, an empty string. All are empty for a single
        cell and without faces.

    Example:
        >>> hard = np.linspace(2, 8, 40)
        >>> noise = np.sin(np.arange(40.0))
        >>> values = np.stack([hard, hard + 0.1 * noise + 0.01, hard + 0.1 * noise + 1])
        >>> best_and_ties(values, np.arange(40), lower_is_better=True)
        ('best', 'tie', '')
    """
    if len(values) < 2 or not np.isfinite(values).any():
        return ("",) * len(values)
    known = np.isfinite(values)
    means = np.where(known, values, 0).sum(1) / np.maximum(known.sum(1), 1)
    means = np.where(known.any(1), means if lower_is_better else -means, np.inf)
    best = int(np.argmin(means))
    others = [i for i in range(len(values)) if i != best]
    differences = paired_with_holm([(values[best], values[i]) for i in others], clusters)
    marks = {
        i: "tie" if d.p_holm >= ALPHA or abs(means[i] - means[best]) < precision else ""
        for i, d in zip(others, differences, strict=True)
    }
    return tuple("best" if i == best else marks[i] for i in range(len(values)))
