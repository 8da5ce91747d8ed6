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


def test_means_closer_than_the_precision_are_ties():
    faces = np.random.default_rng(3).gamma(4, 1.2, 800)
    values = np.stack([faces, faces + 0.004, faces + 0.02])
    for sign in (1, -1):
        marks = best_and_ties(sign * values, np.arange(800), lower_is_better=sign > 0, precision=0.01)
        assert marks == ("best", "tie", "")
    assert best_and_ties(values, np.arange(800), lower_is_better=True) == ("best", "", "")
