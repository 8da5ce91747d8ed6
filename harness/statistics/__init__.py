"""Uncertainty of scores: intervals, paired tests, correction for many comparisons, ranking with ties.

Faces of one photograph are not independent. Every function therefore takes ``clusters``, the number of each face's
photograph, and treats photographs rather than faces as the sample.
"""

from __future__ import annotations

from nmebench.statistics.best_and_ties import best_and_ties
from nmebench.statistics.bootstrap import Interval, bootstrap
from nmebench.statistics.holm import holm
from nmebench.statistics.paired import (
    AdjustedDifference,
    PairedDifference,
    PairedDifferences,
    paired_difference,
    paired_differences,
    paired_with_holm,
)
from nmebench.statistics.rank_test import RankTest, rank_test
from nmebench.statistics.ranking import RankedCell, ranking

__all__ = [
    "AdjustedDifference",
    "Interval",
    "PairedDifference",
    "PairedDifferences",
    "RankTest",
    "RankedCell",
    "best_and_ties",
    "bootstrap",
    "holm",
    "paired_difference",
    "paired_differences",
    "paired_with_holm",
    "rank_test",
    "ranking",
]
