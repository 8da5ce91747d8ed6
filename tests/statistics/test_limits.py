"""Limits of the statistics: ties, missing faces, few photographs, constant values, and settings out of range."""

from __future__ import annotations

import warnings
from importlib import import_module
from itertools import combinations
from math import erf, sqrt

import numpy as np
import pytest
from scipy import stats

from nmebench.statistics import best_and_ties, bootstrap, holm, paired_difference, paired_differences, ranking
from nmebench.statistics.bootstrap import _acceleration, _bca, _resampling_blocks, _Sums
from nmebench.statistics.clusters import cluster_sums
from nmebench.statistics.paired import paired_with_holm


@pytest.fixture(autouse=True)
def _no_warnings():
    """A warning of NumPy on the command line would be noise."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# Sums over photographs ----------------------------------------------------------------------------------------------


def test_cluster_sums_equal_a_slow_reference():
    rng = np.random.default_rng(0)
    labels = rng.choice([-3, 0, 7, 100], 30)
    values = rng.normal(0, 1, (3, 30))
    sums, faces = cluster_sums(values, labels)
    expected: dict[int, list[float]] = {}
    for face, label in enumerate(labels.tolist()):
        row = expected.setdefault(label, [0.0, 0.0, 0.0, 0.0])
        for cell in range(3):
            row[cell] += values[cell, face]
        row[3] += 1
    np.testing.assert_allclose(sums, np.array([expected[label][:3] for label in sorted(expected)]).T)
    assert faces.tolist() == [expected[label][3] for label in sorted(expected)]
    assert faces.dtype == np.float64


@pytest.mark.parametrize(
    ("values", "clusters", "message"),
    [
        pytest.param([1.0, 2.0], [0, 1], r"values \(2,\) must be \[M, N\]", id="one-axis"),
        pytest.param([[1.0, 2.0]], [0], r"clusters \(1,\) must be \[N\]", id="other-number"),
        pytest.param([[1.0, 2.0]], [[0, 1]], r"must be", id="clusters-with-two-axes"),
        pytest.param(np.zeros((2, 0)), [], "no faces", id="no-faces"),
        pytest.param([[1.0, np.inf]], [0, 1], "must be finite", id="infinite"),
    ],
)
def test_cluster_sums_refuse_other_arrays(values, clusters, message):
    with pytest.raises(ValueError, match=message):
        cluster_sums(values, clusters)


# The best cell and its ties -----------------------------------------------------------------------------------------


def test_two_cells_are_compared():
    a = np.linspace(3, 6, 30)
    noise = 0.01 * np.sin(np.arange(30.0))
    assert best_and_ties(np.stack([a + 1 + noise, a]), np.arange(30), lower_is_better=True) == ("", "best")
    assert best_and_ties(np.stack([a + 1 + noise, a]), np.arange(30), lower_is_better=False) == ("best", "")
    assert best_and_ties(a[None], np.arange(30), lower_is_better=True) == ("",)


def test_missing_faces_are_left_out_of_the_mean():
    """The second cell is better where it is known; its missing faces count neither as 0 nor as 1."""
    a = np.full(40, 0.9)
    b = np.where(np.arange(40) < 20, np.nan, 0.5 + 0.01 * np.sin(np.arange(40.0)))
    assert best_and_ties(np.stack([a, b]), np.arange(40), lower_is_better=True) == ("", "best")
    assert best_and_ties(np.stack([a, b]), np.arange(40), lower_is_better=False) == ("best", "")


@pytest.mark.parametrize("lower_is_better", [True, False])
def test_a_cell_without_a_known_face_is_never_best(lower_is_better):
    a, none = np.linspace(3, 6, 30), np.full(30, np.nan)
    assert best_and_ties(np.stack([none, a, none]), np.arange(30), lower_is_better=lower_is_better)[1] == "best"
    assert best_and_ties(np.stack([none, none]), np.arange(30), lower_is_better=lower_is_better) == ("", "")


@pytest.mark.parametrize(("p", "mark"), [(0.05, "tie"), (np.nextafter(0.05, 0), "")])
def test_a_difference_at_alpha_is_a_tie(monkeypatch, p, mark):
    monkeypatch.setattr("nmebench.statistics.paired.holm", lambda values: np.full(len(values), p))
    a = np.linspace(3, 6, 30)
    assert best_and_ties(np.stack([a, a + 1]), np.arange(30), lower_is_better=True) == ("best", mark)


# Bootstrap ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_resampling_counts_equal_the_counted_draws(seed):
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, 4, size=(3, 4))
    expected = [[float((row == cluster).sum()) for cluster in range(4)] for row in drawn]
    (found,) = _resampling_blocks(4, 3, seed)
    assert found.tolist() == expected
    assert found.dtype == np.float64


def exact_product(counts, sums):
    return _Sums.rounded(sums.copy()).product(counts)


def test_product_of_rows_of_other_magnitudes_and_of_zeros():
    """Each row has its own grid, and a row of zeros has none."""
    rng = np.random.default_rng(1)
    sums = rng.uniform(0.1, 1, (4, 50)) * np.array([[1e12], [1.0], [1e-12], [0.0]])
    (counts,) = _resampling_blocks(50, 7, 0)
    np.testing.assert_allclose(exact_product(counts, sums), counts @ sums.T, rtol=1e-12)
    assert not exact_product(counts, sums)[:, 3].any()


def test_product_is_exact_for_many_photographs():
    """The order of additions doesn't matter, although partial sums grow to a thousand times the largest value."""
    rng = np.random.default_rng(2)
    sums = rng.uniform(0.9, 1, (1, 3000))
    ones = np.ones((1, 3000))
    expected = exact_product(ones, sums)
    for _ in range(20):
        assert exact_product(ones, rng.permuted(sums, axis=1)) == expected


def slow_bca(estimate, resampled, influence, level):
    """Efron's limits of one cell; the share of resamples below the estimate is kept half a resample from 0 and 1."""
    share = np.mean([0.5 * (r < estimate) + 0.5 * (r <= estimate) for r in resampled])
    z0 = stats.norm.ppf(min(max(share, 0.5 / len(resampled)), 1 - 0.5 / len(resampled)))
    squares = sum(i * i for i in influence)
    a = sum(i**3 for i in influence) / (6 * squares**1.5) if squares else 0.0
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = z0 + stats.norm.ppf(tail)
        x = z0 + z / (1 - a * z)
        ends.append(float(np.quantile(resampled, 0.5 * (1 + erf(x / sqrt(2))))))
    return ends


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999999])
@pytest.mark.parametrize("resamples", [2, 3, 40])
@pytest.mark.parametrize(
    ("shift", "scale"),
    [
        pytest.param(0.0, 1.0, id="middle"),
        pytest.param(9.0, 1.0, id="below-all"),
        pytest.param(-9.0, 1.0, id="above-all"),
        pytest.param(0.1, 0.05, id="small-influence"),
        pytest.param(0.0, 0.0, id="no-influence"),
    ],
)
def test_limits_match_a_slow_bca_at_the_ends(level, resamples, shift, scale):
    rng = np.random.default_rng([3, resamples])
    resampled = shift + rng.normal(0, 1, (resamples, 2))
    resampled[0, 1] = 0.0  # equal to the estimate
    influence = scale * rng.gamma(1.0, 1.0, (2, 9))
    low, high = _bca(np.zeros(2), resampled, _acceleration(influence), level)
    for cell in range(2):
        expected = slow_bca(0.0, resampled[:, cell], influence[cell], level)
        assert [low[cell], high[cell]] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_default_settings():
    values, clusters = np.random.default_rng(4).gamma(4, 1, 60), np.arange(60) // 2
    found, given = (
        bootstrap(values, clusters, "nme"),
        bootstrap(values, clusters, "nme", resamples=2000, seed=0, level=0.95),
    )
    assert (found.low, found.high, found.level) == (given.low, given.high, 0.95)
    assert found.estimate.shape == found.low.shape == found.high.shape == ()


@pytest.mark.parametrize(
    "options", [{"level": 0.0}, {"level": 1.0}, {"level": -0.5}, {"level": np.nan}, {"resamples": 1}, {"resamples": 0}]
)
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        bootstrap([1.0, 2.0], [0, 1], "nme", **options)


def test_two_resamples_are_enough():
    assert np.isfinite(bootstrap([1.0, 2.0, 5.0], [0, 1, 2], "nme", resamples=2).low)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_binomial_interval_counts_photographs(level):
    """Three cells at once, on 40 photographs of two faces: none fails, half of them, all."""
    values = np.stack([np.full(80, 4.0), np.where(np.arange(80) % 4 < 2, 4.0, 20.0), np.full(80, 20.0)])
    found = bootstrap(values, np.arange(80) // 2, "fr10", level=level, resamples=200)
    assert found.estimate.tolist() == [0.0, 50.0, 100.0]
    none, every = (stats.binomtest(k, 40).proportion_ci(level, method="exact") for k in (0, 40))
    assert (found.low[0], found.high[0]) == pytest.approx((0.0, 100 * none.high))
    assert (found.low[2], found.high[2]) == pytest.approx((100 * every.low, 100.0))
    assert 0 < found.low[1] < 50 < found.high[1] < 100
    alone = bootstrap(values[1], np.arange(80) // 2, "fr10", level=level, resamples=200)
    assert (found.low[1], found.high[1]) == (alone.low, alone.high)


def test_a_rate_of_99_percent_is_resampled():
    """One success among 100 faces: only rates of 0 and 100 % are binomial."""
    values = np.where(np.arange(100) == 3, 4.0, 20.0)
    found = bootstrap(values, np.arange(100), "fr10", resamples=400)
    nearly = bootstrap(values[:80], np.arange(80), "fr10", resamples=400)
    assert found.estimate == 99.0
    assert found.low < 99.0 < found.high <= 100.0
    assert found.low != pytest.approx(100 * (0.025 ** (1 / 100)))
    assert nearly.estimate == 98.75


def test_a_rate_of_1_percent_is_resampled():
    values = np.where(np.arange(100) == 3, 20.0, 4.0)
    found = bootstrap(values, np.arange(100), "fr10", resamples=400)
    assert found.estimate == 1.0
    assert found.high != pytest.approx(100 * (1 - 0.025 ** (1 / 100)))


def test_only_failure_rates_have_a_binomial_interval():
    assert bootstrap(np.zeros(30), np.arange(30), "nme").high == 0.0
    assert bootstrap(np.full(30, 100.0), np.arange(30), "nme").low == 100.0


# Paired test --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("count", [2, 3, 40])
def test_level_and_few_photographs(level, count):
    """Two photographs are the fewest that have a spread."""
    rng = np.random.default_rng(count)
    a = rng.normal(4, 1, count)
    b = a + rng.normal(0.1, 0.3, count)
    expected = stats.ttest_rel(b, a)
    interval = expected.confidence_interval(level)
    found = paired_difference(a, b, np.arange(count), level=level)
    assert (found.low, found.high, found.p) == pytest.approx((interval.low, interval.high, expected.pvalue))
    pairs = paired_differences([a, b], np.arange(count), level=level)
    assert (pairs.low[0, 1], pairs.high[0, 1], pairs.p[0, 1]) == pytest.approx((found.low, found.high, found.p))


def test_default_level_is_95_percent():
    a, b = np.arange(9.0), np.arange(9.0) ** 1.1
    assert paired_difference(a, b, np.arange(9)) == paired_difference(a, b, np.arange(9), level=0.95)
    found = paired_differences([a, b], np.arange(9)), paired_differences([a, b], np.arange(9), level=0.95)
    np.testing.assert_array_equal(found[0].low, found[1].low)


def test_one_photograph_has_no_interval_and_pairs_of_it_neither():
    found = paired_difference([1.0, 2.0], [2.0, 4.0], [0, 0])
    assert (found.difference, found.p) == (1.5, 1.0)
    assert np.isnan([found.low, found.high]).all()
    pairs = paired_differences([[1.0, 2.0], [2.0, 4.0]], [0, 0])
    assert pairs.p.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert np.isnan([pairs.low, pairs.high]).all()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param([1.0, 2.0], [1.0], id="other-number"),
        pytest.param([[1.0, 2.0]], [[1.0, 2.0]], id="two-axes"),
        pytest.param(1.0, 2.0, id="no-axis"),
    ],
)
def test_paired_values_must_have_one_axis(a, b):
    with pytest.raises(ValueError, match="of the same faces"):
        paired_difference(a, b, [0, 1])


def test_a_pair_without_a_common_face():
    a, b = np.array([1.0, np.nan, np.inf]), np.array([np.nan, 2.0, 3.0])
    (found,) = paired_with_holm([(a, b)], np.arange(3))
    assert (found.p, found.p_holm, found.outcome) == (1.0, 1.0, "no significant difference")
    assert np.isnan([found.difference, found.low, found.high]).all()


def test_p_values_must_have_one_axis():
    with pytest.raises(ValueError, match=r"p \(1, 2\) must be \[M\]"):
        holm([[0.1, 0.2]])


# Ranking ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_ranking_equals_a_slow_reference(level):
    rng = np.random.default_rng(6)
    clusters = np.concatenate([np.arange(40), rng.integers(0, 40, 20)])
    hard = rng.gamma(4, 1, 60)
    cells = {f"cell {i}": hard + 0.06 * i + rng.normal(0, 0.15, 60) for i in range(6)}
    pairs = list(combinations(cells, 2))
    tests = [paired_difference(cells[a], cells[b], clusters) for a, b in pairs]
    adjusted = dict(zip(pairs, holm([test.p for test in tests]).tolist(), strict=True))
    worse = dict.fromkeys(cells, 0)
    tied: dict[str, set[str]] = {name: set() for name in cells}
    for (a, b), test in zip(pairs, tests, strict=True):
        if adjusted[a, b] < 1 - level:
            worse[b if test.difference > 0 else a] += 1
        else:
            tied[a].add(b)
            tied[b].add(a)
    ranked = ranking(cells, clusters, level=level)
    assert {r.cell: (r.rank, set(r.tied)) for r in ranked} == {n: (1 + worse[n], tied[n]) for n in cells}
    assert [r.nme for r in ranked] == [pytest.approx(cells[r.cell].mean()) for r in ranked]
    assert [r.cell for r in ranked] == sorted(cells, key=lambda n: (1 + worse[n], cells[n].mean(), n))
    if level == 0.95:
        assert [(r.cell, r.rank, r.tied) for r in ranking(cells, clusters)] == [
            (r.cell, r.rank, r.tied) for r in ranked
        ]
        assert 0 < sum(worse.values()) < len(pairs)


def test_equal_cells_are_ordered_by_name():
    a = np.linspace(3, 6, 10)
    ranked = ranking({"b": a, "a": a}, np.arange(10))
    assert [(r.cell, r.rank, r.tied) for r in ranked] == [("a", 1, ("b",)), ("b", 1, ("a",))]


def test_a_difference_at_the_level_is_a_tie(monkeypatch):
    monkeypatch.setattr(import_module("nmebench.statistics.ranking"), "holm", lambda p: np.full(len(p), 1 - 0.95))
    a = np.linspace(3, 6, 10)
    assert [r.rank for r in ranking({"a": a, "b": a + 1}, np.arange(10))] == [1, 1]
