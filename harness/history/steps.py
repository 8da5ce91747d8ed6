"""Finds the steps of a series: least-squares segmentation with tests for the number of steps.

Source: J. Bai and P. Perron, "Estimating and Testing Linear Models with Multiple Structural Changes", Econometrica 66
(1998) 47-78, and "Computation and Analysis of Multiple Structural Change Models", Journal of Applied Econometrics 18
(2003) 1-22: dynamic programming gives the best segmentation for every number of steps; the double maximum test of 0
against an unknown number of steps decides whether there is any; tests of l against l + 1 steps decide how many.

Their critical values are asymptotic and need long segments. A history has some dozen commits, and a step may be at the
last of them, so the tests here use the exact F distribution for given positions, multiplied by the number of possible
positions (Bonferroni). That is conservative for independent, normal noise, at any length.

Why not another well-known method: PELT (Killick et al., 2012) needs the variance of the noise for its penalty, and a
robust estimate from 30 values is off by a quarter. The permutation tests of E-divisive (Matteson and James, 2014) can't
give p below 1 / 30 for a step at the last of 30 commits; Hunter (Fleming et al., 2023) replaces them with a t-test for
that reason. Binary segmentation misses a step up that a step down follows, because one split explains neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, fdtrc

__all__ = ["LEVEL", "NOISE_FLOOR", "SMALLEST_STEP", "Segmentation", "Step", "find_steps"]

Array = NDArray[np.float64]

LEVEL: Final = 0.01
"""Largest probability that a history without a step shows one, over all of its series."""

SMALLEST_STEP: Final = 0.01
"""Smaller steps, in percent points, are left out: it is the margin of the gate, the last decimal that papers print."""

NOISE_FLOOR: Final = 0.001
"""Standard deviation, percent points, that is assumed at least: a thousand times what processors differ by."""

_ROUNDING: Final = 1e-9
"""A step of exactly the smallest size isn't above it because of a rounded last bit."""

_MOST_AT_ONCE: Final = 5
"""The largest number of steps of the double maximum test, as Bai and Perron use."""


@dataclass(frozen=True)
class Step:
    """A step between two neighbouring values of a series."""

    index: int
    """The first value after the step."""
    before: float
    """Mean of the values since the previous step."""
    after: float
    """Mean of the values until the next step."""
    p: float
    """Corrected for the number of positions and of series."""

    @property
    def size(self) -> float:
        """``after - before``."""
        return self.after - self.before


class Segmentation:
    """The best segmentations of a series for every number of steps.

    Source: dynamic programming of Bai and Perron (2003), section 3.

    Args:
        values: ``[N]``, finite, N at least 1.
    """

    def __init__(self, values: ArrayLike) -> None:
        y = np.asarray(values, np.float64)
        count = len(y)
        centred = y - y.mean()
        self._sums = np.concatenate([[0.0], np.cumsum(y)])
        sums = np.concatenate([[0.0], np.cumsum(centred)])
        squares = np.concatenate([[0.0], np.cumsum(centred**2)])
        first, last = np.arange(count)[:, None], np.arange(count)[None, :] + 1
        cost = squares[last] - squares[first] - (sums[last] - sums[first]) ** 2 / np.maximum(last - first, 1)
        # [i, j]: squared residuals of the values from i to j, both included, about their mean.
        self._cost = np.where(last > first, np.maximum(cost, 0.0), np.inf)
        self._best = [self._cost[0]]
        self._choice: list[NDArray[np.int64]] = []

    def __len__(self) -> int:
        """The number of values."""
        return len(self._cost)

    def steps(self, count: int) -> tuple[int, ...]:
        """Return the ``count`` steps that minimise the squared residuals from the segments' means.

        Returns:
            Ascending indices of the first value after each step.

        Raises:
            ValueError: there are too few values.

        Example:
            >>> Segmentation([1.0, 1.1, 0.9, 3.0, 3.1, 1.0]).steps(2)
            (3, 5)
        """
        if not 0 <= count < len(self):
            raise ValueError(f"{count} steps in {len(self)} values: must be from 0 to {len(self) - 1}")
        while len(self._choice) < count:
            # total[i, j]: the values before i are segmented already, those from i to j are one more segment.
            total = self._best[-1][:-1, None] + self._cost[1:]
            self._choice.append(total.argmin(axis=0) + 1)
            self._best.append(total.min(axis=0))
        found: list[int] = []
        end = len(self) - 1
        for choice in reversed(self._choice[:count]):
            found.append(int(choice[end]))
            end = found[-1] - 1
        return tuple(reversed(found))

    def residuals(self, steps: tuple[int, ...]) -> float:
        """Return the squared residuals of the values from the means of their segments."""
        return sum(float(self._cost[first, last - 1]) for first, last in self._parts(steps))

    def means(self, steps: tuple[int, ...]) -> list[float]:
        """Return the mean of every segment."""
        return [float(self._sums[last] - self._sums[first]) / (last - first) for first, last in self._parts(steps)]

    def _parts(self, steps: tuple[int, ...]) -> list[tuple[int, int]]:
        return list(pairwise((0, *steps, len(self))))


def find_steps(
    values: ArrayLike,
    *,
    series: int = 1,
    level: float = LEVEL,
    noise: float | None = None,
    smallest: float = SMALLEST_STEP,
) -> tuple[Step, ...]:
    """Find the steps of a series.

    Args:
        values: one value per commit, such as the NME of a subset in percent, ``[N]``, finite.
        series: number of series that are searched together; p is multiplied by it.
        level: a step is significant when its corrected p is below this.
        noise: standard deviation of a value about its segment's mean, where it is known; None estimates it from the
            residuals. It is never taken below :data:`NOISE_FLOOR`.
        smallest: smaller steps are left out.

    Returns:
        The steps in order; none for fewer than two values.

    Raises:
        ValueError: a value is not finite.

    Example:
        >>> [(step.index, round(step.size, 2)) for step in find_steps([4.0] * 9 + [4.2] * 3, noise=0.001)]
        [(9, 0.2)]
    """
    y = np.asarray(values, np.float64)
    if y.ndim != 1 or not np.isfinite(y).all():
        raise ValueError(f"values {y.shape} must be [N] and finite")
    if not len(y):
        return ()
    best = Segmentation(y)
    tests = _Tests(best, series, None if noise is None else max(noise, NOISE_FLOOR))
    counts = range(1, min(_MOST_AT_ONCE, tests.most_steps) + 1)
    p_any = {count: tests.any(best.steps(count)) * len(counts) for count in counts}
    if not p_any or min(p_any.values()) >= level:
        return ()
    steps = _without_weak(best.steps(min(p_any, key=lambda count: p_any[count])), tests, level, smallest)
    while grown := _with_more(steps, tests, level, smallest):
        steps = grown
    means = best.means(steps)
    return tuple(Step(index, means[i], means[i + 1], min(1.0, tests.single(steps, i))) for i, index in enumerate(steps))


def _with_more(steps: tuple[int, ...], tests: _Tests, level: float, smallest: float) -> tuple[int, ...]:
    """One or two steps more (a step up and one down may need each other); empty if they are not significant."""
    for count in (len(steps) + 1, len(steps) + 2):
        if count <= tests.most_steps:
            grown = _without_weak(tests.best.steps(count), tests, level, smallest)
            if len(grown) > len(steps):
                return grown
    return ()


def _without_weak(steps: tuple[int, ...], tests: _Tests, level: float, smallest: float) -> tuple[int, ...]:
    """Segment again with one step less until every step is significant and large enough."""
    while steps:
        sizes = np.abs(np.diff(tests.best.means(steps)))
        if all(size > smallest + _ROUNDING and tests.single(steps, i) < level for i, size in enumerate(sizes)):
            break
        steps = tests.best.steps(len(steps) - 1)
    return steps


@dataclass(frozen=True)
class _Tests:
    """The tests of one series; every p is corrected for the positions and the series."""

    best: Segmentation
    series: int
    noise: float | None

    @property
    def most_steps(self) -> int:
        """The largest number of steps; with unknown noise, one value must be left to estimate it."""
        return max(0, len(self.best) - (1 if self.noise is not None else 2))

    def _p(self, gain: float, added: int, steps: tuple[int, ...]) -> float:
        """p of the squared residuals that ``added`` of the steps explain, for given positions."""
        gain = max(gain, 0.0)
        if self.noise is not None:
            return float(chdtrc(added, gain / self.noise**2))
        free = len(self.best) - len(steps) - 1
        variance = self.best.residuals(steps) / free + NOISE_FLOOR**2
        return float(fdtrc(added, free, gain / added / variance))

    def any(self, steps: tuple[int, ...]) -> float:
        """p of the steps against none."""
        gain = self.best.residuals(()) - self.best.residuals(steps)
        return self._p(gain, len(steps), steps) * math.comb(len(self.best) - 1, len(steps)) * self.series

    def single(self, steps: tuple[int, ...], i: int) -> float:
        """p of one of the steps against the others alone."""
        gain = self.best.residuals((*steps[:i], *steps[i + 1 :])) - self.best.residuals(steps)
        return self._p(gain, 1, steps) * (len(self.best) - 1) * self.series
