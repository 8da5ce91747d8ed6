"""How sure a number is: intervals, paired differences, correction for many comparisons, ranking with ties.

Faces of one photograph are not independent, so every function takes ``clusters``, the number of each face's
source image, and treats images, not faces, as what was sampled.
"""

from __future__ import annotations

from nmebench.statistics.bootstrap import Interval, Statistic, bootstrap
from nmebench.statistics.holm import holm
from nmebench.statistics.paired import PairedDifference, PairedDifferences, paired_difference, paired_differences
from nmebench.statistics.ranking import Ranked, ranking

__all__ = [
    "Interval",
    "PairedDifference",
    "PairedDifferences",
    "Ranked",
    "Statistic",
    "bootstrap",
    "holm",
    "paired_difference",
    "paired_differences",
    "ranking",
]
