"""The paired test: against references, its false positive rate and its power."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nmebench.statistics import bootstrap, paired_difference, paired_differences, paired_with_holm


def faces(rng, images=1800, count=2500):
    """Photograph numbers of ``count`` faces, and the NME of each face (percent)."""
    clusters = np.concatenate([np.arange(images), rng.integers(0, images, count - images)])
    hard = 4.0 * np.exp(rng.normal(0, 0.3, images)[clusters] + rng.normal(0, 0.4, count))
    return clusters, hard


def test_matches_students_t_test_without_clusters():
    rng = np.random.default_rng(0)
    a = rng.normal(4, 1, 50)
    b = a + rng.normal(0.1, 0.3, 50)
    found = paired_difference(a, b, np.arange(50))
    expected = stats.ttest_rel(b, a)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_agrees_with_bootstrap_and_sign_permutations_with_clusters():
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
        pytest.param(1800, 2500, 0.3, id="full-set"),
        pytest.param(60, 100, 0.3, id="few-faces"),
        pytest.param(300, 400, 1.2, id="heavy-tails"),
    ],
)
def test_false_positive_rate(images, count, tails):
    """The test finds a difference between equal cells in 5 % of sets (2000 sets, +-1 point)."""
    found = 0
    for number in range(2000):
        rng = np.random.default_rng([11, number])
        clusters, hard = faces(rng, images, count)
        size = np.exp(rng.normal(0, tails, count))
        # A difference with mean 0, an effect of the photograph and heavy tails.
        effect = (rng.normal(0, 0.3, images)[clusters] + rng.normal(0, 0.3, count)) * size
        found += paired_difference(hard, hard + effect, clusters).p < 0.05
    assert 0.03 <= found / 2000 <= 0.065, found / 2000


def test_power_for_a_difference_of_0_02_on_2500_faces():
    """The paired test finds the difference in nearly every set, an unpaired test in hardly any."""
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


def test_all_pairs_match_single_pairs():
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
    ("difference", "p"), [pytest.param(0.0, 1.0, id="none"), pytest.param(0.5, 0.0, id="constant")]
)
def test_constant_difference(difference, p):
    a = np.arange(20, dtype=float)
    found = paired_difference(a, a + difference, np.arange(20))
    assert (found.difference, found.low, found.high, found.p) == (difference, difference, difference, p)


def test_one_photograph_has_p_one():
    found = paired_difference([1.0, 2.0], [2.0, 4.0], [0, 0])
    assert found.p == 1
    assert np.isnan(found.low)


def test_shapes_must_match():
    with pytest.raises(ValueError, match="same faces"):
        paired_difference([1.0], [1.0, 2.0], [0])


def test_faces_without_a_number_are_left_out_of_their_pair():
    a, b = np.array([1.0, 2.0, np.nan, 4.0]), np.array([0.5, 1.0, 9.0, 2.0])
    found = paired_with_holm([(b, a), (b, np.full(4, np.nan))], np.arange(4))
    assert found[0].difference == pytest.approx((0.5 + 1 + 2) / 3)
    assert found[0].low < found[0].difference < found[0].high
    assert np.isnan(found[1].difference)
    assert found[1].p_holm == 1


def test_outcome_follows_the_adjusted_p():
    a = np.linspace(3, 5, 30)
    noise = 0.1 * np.sin(np.arange(30.0))
    found = paired_with_holm([(a, a - 1 + noise), (a, a + 1 + noise), (a, a + noise)], np.arange(30))
    assert [d.outcome for d in found] == ["better", "worse", "no significant difference"]
    assert all(d.p_holm >= d.p for d in found)


def test_adjusted_p_at_alpha_is_not_significant():
    from nmebench.statistics.paired import ALPHA, AdjustedDifference

    assert AdjustedDifference(-1.0, -2.0, 0.0, 0.01, ALPHA).outcome == "no significant difference"
    assert AdjustedDifference(-1.0, -2.0, 0.0, 0.01, np.nextafter(ALPHA, 0)).outcome == "better"
    assert AdjustedDifference(1.0, 0.0, 2.0, 0.01, np.nextafter(ALPHA, 0)).outcome == "worse"
