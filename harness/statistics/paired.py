"""Paired differences between cells that saw the same faces.

The test is a t test on the mean difference with a cluster-robust variance and one degree of freedom less than there
are photographs (K.-Y. Liang and S. L. Zeger, "Longitudinal Data Analysis Using Generalized Linear Models", Biometrika
73 (1986) 13-22, with the factor C/(C-1)).

A permutation of signs would work too, but dozens of cells make hundreds of pairs, and after Holm's correction a
permutation test needs some 100,000 permutations before any pair can be significant. With hundreds of photographs the
two tests agree (the tests check this, and the false positive rate on simulated data). Interval and p always agree:
p < 1 - level exactly when the interval excludes 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from nmebench.statistics.clusters import cluster_sums
from nmebench.statistics.holm import holm

__all__ = [
    "ALPHA",
    "AdjustedDifference",
    "PairedDifference",
    "PairedDifferences",
    "paired_difference",
    "paired_differences",
    "paired_with_holm",
]

Array = NDArray[np.float64]

ALPHA: Final = 0.05
"""A difference is significant when its adjusted p is below this."""


@dataclass(frozen=True)
class PairedDifference:
    """Mean of ``b - a`` over faces, its interval (all in the unit of the values) and its two-sided p."""

    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class AdjustedDifference(PairedDifference):
    """A paired difference with its p adjusted by Holm's procedure over all comparisons made with it."""

    p_holm: float

    @property
    def outcome(self) -> str:
        """``better`` (significantly lower), ``worse`` (significantly higher) or ``no significant difference``."""
        if not self.p_holm < ALPHA:
            return "no significant difference"
        return "better" if self.difference < 0 else "worse"


@dataclass(frozen=True)
class PairedDifferences:
    """Differences of all pairs of M cells: arrays ``[M, M]``; entry ``[i, j]`` is cell j minus cell i."""

    difference: Array
    low: Array
    high: Array
    p: Array


def _t_test(difference: Array, squares: Array, faces: Array, level: float) -> tuple[Array, Array, Array]:
    """Low, high and p, of the shape of ``difference`` and ``squares`` (sums of squared cluster residuals)."""
    images = len(faces)
    if images < 2:
        unknown = np.full_like(difference, np.nan)
        return unknown, unknown, np.ones_like(difference)
    error = np.sqrt(images / (images - 1) * squares) / faces.sum()
    reach = stdtrit(images - 1, (1 + level) / 2) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(difference) / error
    # Without spread, p is 0 for any difference and 1 for none.
    statistic = np.where(error > 0, statistic, np.where(difference == 0, 0.0, np.inf))
    return difference - reach, difference + reach, 2 * stdtr(images - 1, -statistic)


def paired_difference(a: ArrayLike, b: ArrayLike, clusters: ArrayLike, *, level: float = 0.95) -> PairedDifference:
    """Test the mean difference of two cells on the same faces.

    Source: Liang and Zeger (1986); see the module's docstring for the choice.

    Args:
        a: value per face, such as the NME in percent, ``[N]``.
        b: the same faces under the other cell, ``[N]``.
        clusters: int ``[N]``, the number of each face's photograph.
        level: confidence level of the interval.

    Returns:
        Mean of ``b - a`` (percent points for NME), its interval and its two-sided p. With a single photograph p is 1
        and the interval is NaN.

    Raises:
        ValueError: the shapes do not fit, there are no faces, or a value is not finite.

    Example:
        >>> found = paired_difference([4.0, 5.0, 6.0, 7.0], [3.8, 4.7, 5.9, 6.8], [0, 1, 2, 3])
        >>> round(found.difference, 3), round(found.p, 3)
        (-0.2, 0.016)
    """
    one, two = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if one.shape != two.shape or one.ndim != 1:
        raise ValueError(f"a {one.shape} and b {two.shape} must be [N], of the same faces")
    sums, faces = cluster_sums((two - one)[None], clusters)
    difference = sums.sum(axis=1) / faces.sum()
    squares = ((sums - difference[:, None] * faces) ** 2).sum(axis=1)
    low, high, p = _t_test(difference, squares, faces, level)
    return PairedDifference(float(difference[0]), float(low[0]), float(high[0]), float(p[0]))


def paired_differences(values: ArrayLike, clusters: ArrayLike, *, level: float = 0.95) -> PairedDifferences:
    """Test the differences of all pairs of M cells, each as :func:`paired_difference` does.

    Args:
        values: value per face, ``[M, N]``.
        clusters: int ``[N]``, the number of each face's photograph.
        level: confidence level of the intervals.

    Returns:
        Arrays ``[M, M]``; p is not adjusted for the number of pairs.

    Raises:
        ValueError: the shapes do not fit, there are no faces, or a value is not finite.

    Example:
        >>> pairs = paired_differences([[4.0, 5.0, 6.0, 7.0], [3.8, 4.7, 5.9, 6.8]], [0, 1, 2, 3])
        >>> pairs.difference.round(3).tolist()
        [[0.0, -0.2], [0.2, 0.0]]
    """
    sums, faces = cluster_sums(values, clusters)
    mean = sums.sum(axis=1) / faces.sum()
    difference = mean[None, :] - mean[:, None]
    residual = sums - mean[:, None] * faces
    # One row at a time, because M x M x C at once would be hundreds of megabytes for a large sweep.
    squares = np.stack([((residual - row) ** 2).sum(axis=1) for row in residual])
    low, high, p = _t_test(difference, squares, faces, level)
    return PairedDifferences(difference, low, high, p)


def paired_with_holm(
    pairs: Sequence[tuple[Array, Array]], clusters: NDArray[np.int64]
) -> tuple[AdjustedDifference, ...]:
    """Test ``b - a`` of several pairs ``(a, b)`` and adjust p by Holm's procedure over all of them.

    A face without a finite value in one of the two is left out of that pair. A pair without any face left has NaN for
    its difference and interval and p 1.

    Args:
        pairs: values per face, ``[N]`` each.
        clusters: int ``[N]``, the number of each face's photograph.

    Returns:
        One difference per pair, with 95 % intervals.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> a = np.array([4.0, 5.0, 6.0, 7.0])
        >>> found = paired_with_holm([(a, a - [0.2, 0.3, 0.1, 0.2]), (a, a)], np.arange(4))
        >>> [(d.outcome, round(d.p_holm, 3)) for d in found]
        [('better', 0.033), ('no significant difference', 1.0)]
    """
    found = []
    for a, b in pairs:
        known = np.isfinite(a) & np.isfinite(b)
        found.append(
            paired_difference(a[known], b[known], clusters[known])
            if known.any()
            else PairedDifference(float("nan"), float("nan"), float("nan"), 1.0)
        )
    adjusted = holm([d.p for d in found])
    return tuple(
        AdjustedDifference(d.difference, d.low, d.high, d.p, float(p)) for d, p in zip(found, adjusted, strict=True)
    )
