"""A paired test that few faces can't decide: Wilcoxon's signed-rank test over photographs.

A t test compares means, and the NME of one lost face can be larger than the sum of all others. The signed-rank test
uses the order of the differences alone: a face counts no more for being a thousand times as far off.

Source: F. Wilcoxon, "Individual Comparisons by Ranking Methods", Biometrics Bulletin 1 (1945) 80-83. Photographs whose
difference is 0 are left out, as in Wilcoxon's own procedure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.statistics.clusters import cluster_sums

__all__ = ["RankTest", "rank_test"]


@dataclass(frozen=True)
class RankTest:
    """The differences ``b - a`` of photographs: numbers below, above and equal to 0, and the two-sided p."""

    lower: int
    higher: int
    equal: int
    p: float

    @property
    def photographs(self) -> int:
        """Number of photographs."""
        return self.lower + self.higher + self.equal

    @property
    def share_lower(self) -> float:
        """Share of photographs on which ``b`` is lower, a fraction; 0 without photographs."""
        return self.lower / self.photographs if self.photographs else 0.0


def rank_test(a: ArrayLike, b: ArrayLike, clusters: ArrayLike) -> RankTest:
    """Compare two cells on the same faces by Wilcoxon's signed-rank test over photographs.

    A photograph's difference is the mean of its faces' differences. The p value is scipy's: exact for up to 50
    photographs without ties, else from the normal approximation.

    Args:
        a: NME of each face, percent ``[N]``.
        b: the same for the other cell.
        clusters: int ``[N]``, the number of each face's photograph.

    Returns:
        The numbers of photographs and p; p is 1 if no photograph differs.

    Raises:
        ValueError: the shapes do not fit, there are no faces, or a value is not finite.

    Example:
        >>> a = np.linspace(2, 8, 40)
        >>> b = a - 0.1
        >>> b[3] = 1e6  # one lost face decides the mean, but not the ranks
        >>> found = rank_test(a, b, np.arange(40))
        >>> found.lower, found.higher, found.p < 0.001
        (39, 1, True)
    """
    from scipy.stats import wilcoxon  # takes a second to import

    difference = np.asarray(b, np.float64) - np.asarray(a, np.float64)
    sums, faces = cluster_sums(np.atleast_2d(difference), clusters)
    means: NDArray[np.float64] = sums[0] / faces
    lower, higher = int((means < 0).sum()), int((means > 0).sum())
    p = float(wilcoxon(means).pvalue) if lower + higher else 1.0
    return RankTest(lower, higher, len(means) - lower - higher, p)
