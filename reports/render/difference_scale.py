"""The horizontal scale of a plot of differences with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmebench.reports.render.text import signed

__all__ = ["DifferenceScale", "round_up_125"]


def round_up_125(value: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least ``value``; 0.01 for 0, NaN and infinity.

    Example:
        >>> round_up_125(0.31)
        0.5
    """
    if not np.isfinite(value) or value <= 0:
        return 0.01
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= value * (1 - 1e-9)))


@dataclass(frozen=True)
class DifferenceScale:
    """A scale from ``-reach`` to ``+reach`` percent points, and the number of decimals that suits it."""

    reach: float
    digits: int

    @classmethod
    def of(cls, ends: Sequence[float]) -> DifferenceScale:
        """A scale that holds all ends of the intervals, or most of them if a few are ten times as far out.

        Example:
            >>> DifferenceScale.of([-0.3, 0.1, 0.45]).reach
            0.5
        """
        sizes = np.abs([e for e in ends if np.isfinite(e)])
        if not len(sizes):
            return cls(round_up_125(0), 4)
        middle = float(np.median(sizes))
        reach = round_up_125(float(sizes.max()) if sizes.max() <= 10 * middle or not middle else 3 * middle)
        return cls(reach, max(2, 2 - int(np.floor(np.log10(reach)))))

    def position(self, value: float) -> float:
        """Horizontal position of a difference, 0 to 100 percent of the plot's width; 50 for 0."""
        return round(50 + 50 * float(np.clip(np.nan_to_num(value) / self.reach, -1, 1)), 2)

    def outside(self, value: float) -> bool:
        """True if a difference is outside the plot."""
        return abs(value) > self.reach

    def signed(self, value: float) -> str:
        """A difference with its sign and the scale's number of decimals."""
        return signed(value, 0 if abs(value) >= 1000 else self.digits)

    @property
    def reach_text(self) -> str:
        """The reach for the plot's heading."""
        return f"{self.reach:g}"
