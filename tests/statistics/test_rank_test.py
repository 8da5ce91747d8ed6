"""The signed-rank test over photographs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from nmebench.statistics import paired_difference, rank_test


def _exact_p(differences: np.ndarray) -> float:
    """Two-sided p by counting all assignments of signs; no ties and no zeros."""
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    middle = ranks.sum() / 2
    observed = abs(ranks[differences > 0].sum() - middle)
    sums = [abs(sum(r for r, sign in zip(ranks, signs, strict=True) if sign) - middle)
            for signs in product([0, 1], repeat=len(ranks))]  # fmt: skip
    return float(np.mean([s >= observed - 1e-9 for s in sums]))


@pytest.mark.parametrize("seed", range(5))
def test_p_matches_the_count_of_all_signs(seed):
    rng = np.random.default_rng(seed)
    a = rng.uniform(2, 8, 11)
    b = a + rng.normal(0.2, 0.5, 11)
    assert rank_test(a, b, np.arange(11)).p == pytest.approx(_exact_p(b - a))


def test_photographs_count_not_faces():
    a, b = np.array([3.0, 3.0, 4.0, 5.0]), np.array([3.5, 2.0, 4.0, 6.0])
    found = rank_test(a, b, np.array([0, 0, 1, 2]))
    assert (found.lower, found.higher, found.equal, found.photographs) == (1, 1, 1, 3)
    assert found.share_lower == pytest.approx(1 / 3)


def test_one_face_decides_the_mean_but_not_the_ranks():
    rng = np.random.default_rng(3)
    a = rng.uniform(2, 8, 300)
    b = a - 0.2 + rng.normal(0, 0.1, 300)
    b[17] = 6e7
    assert paired_difference(a, b, np.arange(300)).p > 0.3
    assert rank_test(a, b, np.arange(300)).p < 1e-10


def test_equal_cells_have_a_p_of_1():
    a = np.arange(5.0)
    assert rank_test(a, a, np.arange(5)).p == 1


def test_false_positive_rate_on_skewed_errors():
    rng = np.random.default_rng(9)
    found = [rank_test(d := rng.lognormal(1, 0.5, 80), d + rng.standard_t(2, 80), np.arange(80)).p < 0.05
             for _ in range(400)]  # fmt: skip
    assert np.mean(found) < 0.08
