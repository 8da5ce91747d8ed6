"""Marks for the best cell of a column and its ties."""

from __future__ import annotations

import numpy as np

from nmebench.statistics import best_and_ties


def test_ties_follow_the_paired_test():
    rng = np.random.default_rng(3)
    faces = rng.gamma(4, 1.2, 800)
    clusters = np.arange(800) // 2
    values = np.stack([faces, faces + rng.normal(0, 0.05, 800), faces + 0.3 + rng.normal(0, 0.05, 800)])
    assert set(best_and_ties(values, clusters, lower_is_better=True)[:2]) == {"best", "tie"}
    assert best_and_ties(values, clusters, lower_is_better=True)[2] == ""
    assert best_and_ties(values, clusters, lower_is_better=False) == ("", "", "best")
    assert best_and_ties(values[:1], clusters, lower_is_better=True) == ("",)
