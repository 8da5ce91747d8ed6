"""The paired test: against references, its level, its power; Holm; ranking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nmebench.statistics import bootstrap, holm, paired_difference, paired_differences, ranking


def faces(rng, images=1800, count=2500):
    """Photographs of ``count`` faces and how hard each face is (NME, percent)."""
    clusters = np.concatenate([np.arange(images), rng.integers(0, images, count - images)])
    hard = 4.0 * np.exp(rng.normal(0, 0.3, images)[clusters] + rng.normal(0, 0.4, count))
    return clusters, hard


def test_without_clusters_it_is_students_paired_test():
    rng = np.random.default_rng(0)
    a = rng.normal(4, 1, 50)
    b = a + rng.normal(0.1, 0.3, 50)
    found = paired_difference(a, b, np.arange(50))
    expected = stats.ttest_rel(b, a)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_with_clusters_it_agrees_with_the_bootstrap_and_with_flipped_signs():
    rng = np.random.default_rng(1)
    clusters, hard = faces(rng, 300, 420)
    effect = rng.normal(0.03, 0.3, 300)[clusters] + rng.normal(0, 0.3, 420)
    found = paired_difference(hard, hard + effect, clusters)
    interval = bootstrap(effect, clusters, "nme", resamples=4000)
    assert (found.low, found.high) == pytest.approx((float(interval.low), float(interval.high)), abs=0.005)
    sums = np.bincount(clusters, effect)
    flips = np.abs(rng.choice([-1.0, 1.0], (20_000, 300)) @ sums)
    assert found.p == pytest.approx(np.mean(flips >= abs(sums.sum())), abs=0.02)


@pytest.mark.parametrize(
    ("images", "count", "tails"),
    [
        pytest.param(1800, 2500, 0.3, id="whole-set"),
        pytest.param(60, 100, 0.3, id="few-faces"),
        pytest.param(300, 400, 1.2, id="heavy-tails"),
    ],
)
def test_level(images, count, tails):
    """Two cells without a difference are told apart in 5 % of sets (2000 sets, +-1 point of chance)."""
    found = 0
    for number in range(2000):
        rng = np.random.default_rng([11, number])
        clusters, hard = faces(rng, images, count)
        size = np.exp(rng.normal(0, tails, count))
        # The same spread in both cells, with an effect of the photograph: a difference of mean 0, heavy in the tails.
        effect = (rng.normal(0, 0.3, images)[clusters] + rng.normal(0, 0.3, count)) * size
        found += paired_difference(hard, hard + effect, clusters).p < 0.05
    assert 0.03 <= found / 2000 <= 0.065, found / 2000


def test_power_a_difference_of_0_02_on_2500_faces():
    """The paired test finds it in nearly every set, the unpaired one in hardly any."""
    paired = unpaired = 0
    for number in range(100):
        rng = np.random.default_rng([13, number])
        clusters, hard = faces(rng)
        a = hard + rng.normal(0, 0.15, 2500)
        b = hard + 0.02 + rng.normal(0, 0.15, 2500)
        paired += paired_difference(a, b, clusters).p < 0.05
        unpaired += stats.ttest_ind(a, b, equal_var=False).pvalue < 0.05
    assert paired >= 95
    assert unpaired <= 15


def test_all_pairs_are_the_single_pairs():
    rng = np.random.default_rng(3)
    clusters, hard = faces(rng, 80, 120)
    values = np.stack([hard + rng.normal(0.05 * i, 0.3, 120) for i in range(5)])
    pairs = paired_differences(values, clusters)
    for i in range(5):
        for j in range(5):
            one = paired_difference(values[i], values[j], clusters)
            found = (pairs.difference[i, j], pairs.low[i, j], pairs.high[i, j], pairs.p[i, j])
            assert found == pytest.approx((one.difference, one.low, one.high, one.p), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("difference", "p"), [pytest.param(0.0, 1.0, id="the-same"), pytest.param(0.5, 0.0, id="always-the-same-more")]
)
def test_without_spread(difference, p):
    a = np.arange(20, dtype=float)
    found = paired_difference(a, a + difference, np.arange(20))
    assert (found.difference, found.low, found.high, found.p) == (difference, difference, difference, p)


def test_one_photograph_proves_nothing():
    found = paired_difference([1.0, 2.0], [2.0, 4.0], [0, 0])
    assert found.p == 1
    assert np.isnan(found.low)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_by_its_definition(p):
    adjusted = holm(p)
    order = sorted(range(len(p)), key=lambda i: p[i])
    running = 0.0
    for place, index in enumerate(order):
        running = max(running, min(1.0, (len(p) - place) * p[index]))
        assert adjusted[index] == pytest.approx(running)


def test_holm_known_values():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]).shape == (0,)


def test_ranking_ties_what_cannot_be_told_apart():
    rng = np.random.default_rng(4)
    clusters, hard = faces(rng, 300, 400)
    cells = {
        "worst": hard + 1.0 + rng.normal(0, 0.1, 400),
        "good": hard + rng.normal(0, 0.1, 400),
        "good too": hard + rng.normal(0, 0.1, 400),
    }
    ranked = ranking(cells, clusters)
    assert [(r.cell, r.rank) for r in ranked][2] == ("worst", 3)
    assert {r.cell: (r.rank, r.tied) for r in ranked[:2]} == {"good": (1, ("good too",)), "good too": (1, ("good",))}
    assert ranked[0].nme <= ranked[1].nme
    assert ranking({}, clusters) == []


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="same faces"):
        paired_difference([1.0], [1.0, 2.0], [0])
