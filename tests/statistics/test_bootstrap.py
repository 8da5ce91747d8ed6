"""Bootstrap intervals: against a slow reference, their coverage, and independence of the order of additions."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ndtr, ndtri

from nmebench import metrics
from nmebench.statistics import bootstrap
from nmebench.statistics.bootstrap import _resampling_blocks, _Sums, bootstrap_metrics
from nmebench.statistics.clusters import cluster_sums

METRICS = {
    "nme": lambda v: float(np.mean(v)),
    "fr10": lambda v: metrics.failure_rate(v),
    "auc10": lambda v: metrics.auc(v),
}


def simulate(rng, images, mean=4.5, *, between=0.25, within=0.4):
    """Log-normal NMEs with an effect of the photograph; one to six faces per photograph."""
    faces = rng.choice([1, 1, 1, 1, 2, 6], images)
    clusters = np.repeat(np.arange(images), faces)
    spread = rng.normal(0, between, images)[clusters] + rng.normal(0, within, len(clusters))
    return mean * np.exp(spread - (between**2 + within**2) / 2), clusters


@pytest.mark.parametrize("metric", METRICS)
def test_limits_match_a_slow_bca(metric):
    values, clusters = simulate(np.random.default_rng(1), 40, 7.0)
    (counts,) = _resampling_blocks(40, 500, 3)
    function = METRICS[metric]
    resampled = np.array(
        [
            function(np.concatenate([np.repeat(values[clusters == c], int(n)) for c, n in enumerate(row)]))
            for row in counts
        ]
    )
    estimate = function(values)
    # Influence of a photograph on a ratio of sums, for Efron's acceleration.
    influence = np.array([(function(values[clusters == c]) - estimate) * np.sum(clusters == c) for c in range(40)])
    z0 = stats.norm.ppf((np.mean(resampled < estimate) + np.mean(resampled <= estimate)) / 2)
    a = np.sum(influence**3) / (6 * np.sum(influence**2) ** 1.5)
    z = stats.norm.ppf([0.025, 0.975])
    expected = np.quantile(resampled, stats.norm.cdf(z0 + (z0 + z) / (1 - a * (z0 + z))))
    found = bootstrap(values, clusters, metric, resamples=500, seed=3)
    assert found.estimate == pytest.approx(estimate, rel=1e-12)
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("metric", "images", "mean"),
    [
        pytest.param("nme", 300, 4.5, id="nme"),
        pytest.param("auc10", 300, 4.5, id="auc10"),
        pytest.param("fr10", 300, 7.0, id="fr10"),
        pytest.param("fr10", 300, 4.5, id="fr-few-failures"),
        pytest.param("nme", 1500, 4.5, id="nme-full-test-set", marks=pytest.mark.slow),
        pytest.param("nme", 60, 4.5, id="nme-few-photographs", marks=pytest.mark.slow),
    ],
)
def test_coverage_is_between_93_and_97_percent(metric, images, mean):
    """Coverage of 95 % intervals on 600 simulated sets of faces in photographs (standard error 0.9 points)."""
    function = METRICS[metric]
    truth = function(simulate(np.random.default_rng(0), 600_000, mean)[0])
    sets = 600
    covered = 0
    for number in range(sets):
        values, clusters = simulate(np.random.default_rng([7, number]), images, mean)
        interval = bootstrap(values, clusters, metric, resamples=1000, seed=number)
        covered += bool(interval.low <= truth <= interval.high)
    assert 0.93 <= covered / sets <= 0.97, f"{covered} of {sets}"


def test_ignoring_photographs_gives_too_narrow_intervals():
    rng = np.random.default_rng(2)
    values, clusters = simulate(rng, 200, between=0.5, within=0.1)
    clustered = bootstrap(values, clusters, "nme")
    naive = bootstrap(values, np.arange(len(values)), "nme")
    assert clustered.high - clustered.low > 1.3 * (naive.high - naive.low)


def test_many_cells_at_once_match_one_by_one():
    values = np.stack([simulate(np.random.default_rng(5), 50)[0] + i for i in range(4)])
    clusters = simulate(np.random.default_rng(5), 50)[1]
    together = bootstrap(values, clusters, "auc10", resamples=300)
    for i in range(4):
        alone = bootstrap(values[i], clusters, "auc10", resamples=300)
        assert (together.low[i], together.high[i]) == (alone.low, alone.high)


def test_effect_of_seed_labels_and_level():
    values, clusters = simulate(np.random.default_rng(5), 50)
    base = bootstrap(values, clusters, "nme")
    assert bootstrap(values, clusters, "nme").low == base.low
    assert bootstrap(values, clusters, "nme", seed=1).low != base.low
    assert bootstrap(values, 1000 + 3 * clusters, "nme").low == base.low
    wider = bootstrap(values, clusters, "nme", level=0.99)
    assert wider.low < base.low < base.high < wider.high


@pytest.mark.parametrize("failing", [False, True], ids=["none-fails", "all-fail"])
def test_interval_is_binomial_when_none_or_all_fail(failing):
    values = np.full(143, 20.0 if failing else 4.0)
    found = bootstrap(values, np.arange(143), "fr10")
    exact = stats.binomtest(143 if failing else 0, 143).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((100 * exact.low, 100 * exact.high))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(8))
def test_limits_do_not_depend_on_the_last_digits(metric, seed):
    """Only 2 of 24 faces are below the threshold, so most resamples of the AUC tie, many of them with the estimate."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.uniform(5, 9.5, 2), rng.uniform(11, 30, 22)])
    moved = values * (1 + 1e-7 * rng.uniform(-1, 1, 24))
    first, second = (bootstrap(v, np.arange(24), metric, seed=seed) for v in (values, moved))
    for one, other in ((first.low, second.low), (first.high, second.high)):
        assert float(one) == pytest.approx(float(other), rel=1e-4, abs=1e-9)


def test_face_at_the_threshold_does_not_fail():
    """FR counts faces above 10 %, in the intervals as in the scores."""
    values = np.array([10.0, np.nextafter(10.0, 11), 4.0, 4.0])
    assert bootstrap(values, np.arange(4), "fr10", resamples=50).estimate == 25.0
    assert metrics.failure_rate(values) == 25.0


def test_one_photograph_has_no_interval():
    found = bootstrap([3.0, 4.0], [5, 5], "nme")
    assert found.estimate == 3.5
    assert np.isnan([found.low, found.high]).all()


def test_constant_values_have_a_zero_width_interval():
    found = bootstrap(np.full(30, 4.0), np.arange(30), "nme")
    assert (found.low, found.high) == (4.0, 4.0)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-6, 1e6), st.integers(2, 200))
def test_exact_product_does_not_depend_on_order(seed, scale, clusters):
    rng = np.random.default_rng(seed)
    sums = rng.lognormal(0, 2, (3, clusters)) * scale
    (counts,) = _resampling_blocks(clusters, 20, seed % 100)
    order = rng.permutation(clusters)
    product = _Sums.rounded(sums.copy()).product(counts)
    np.testing.assert_array_equal(product, _Sums.rounded(sums[:, order]).product(counts[:, order]))
    np.testing.assert_allclose(product, counts @ sums.T, rtol=1e-9)


def test_resampling_counts_are_draws_with_replacement():
    (counts,) = _resampling_blocks(7, 4000, 0)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.06)
    assert counts.var() == pytest.approx(6 / 7, abs=0.03)


@pytest.mark.parametrize(
    ("values", "clusters", "options", "message"),
    [
        pytest.param([1.0, np.nan], [0, 1], {}, "finite", id="nan"),
        pytest.param([], [], {}, "no faces", id="no-faces"),
        pytest.param([1.0], [0, 1], {}, "must be", id="shapes"),
        pytest.param([1.0, 2.0], [0, 1], {"level": 95}, "level", id="level"),
    ],
)
def test_bad_input_is_refused(values, clusters, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap(values, clusters, "nme", **options)


def test_unknown_metric_is_refused():
    with pytest.raises(ValueError, match=r"unknown metric 'median'.*\(known: nme, fr10, auc10, and other"):
        bootstrap([1.0, 2.0], [0, 1], "median")


def whole_matrix(values, clusters, metric, resamples, seed):
    """The limits from one matrix ``[R, C]`` of all resamples, the way that needs no block."""
    per_face = np.stack([METRICS_PER_FACE[metric](row) for row in values])
    sums, faces = cluster_sums(per_face, clusters)
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, len(faces), size=(resamples, len(faces)))
    counts = np.stack([np.bincount(row, minlength=len(faces)) for row in drawn]).astype(float)
    grid = np.ldexp(1.0, (52 - np.ceil(np.log2(sums.max(1) * len(faces)))).astype(int))[:, None]
    resampled = (counts @ np.rint(sums * grid).T) / grid.T / (counts @ faces)[:, None]
    estimate = np.rint(sums * grid).sum(1) / grid[:, 0] / faces.sum()
    influence = sums - (sums.sum(1) / faces.sum())[:, None] * faces
    acceleration = (influence**3).sum(1) / (6 * (influence**2).sum(1) ** 1.5)
    share = ((resampled < estimate).mean(0) + (resampled <= estimate).mean(0)) / 2
    bias = ndtri(np.clip(share, 0.5 / resamples, 1 - 0.5 / resamples))
    ends = []
    for tail in ((1 - 0.95) / 2, (1 + 0.95) / 2):
        z = bias + ndtri(tail)
        position = ndtr(bias + z / (1 - acceleration * z)) * (resamples - 1)
        below = np.clip(np.floor(position).astype(int), 0, resamples - 2)
        ordered, column = np.sort(resampled, axis=0), np.arange(len(values))
        weight = position - below
        ends.append(ordered[below, column] * (1 - weight) + ordered[below + 1, column] * weight)
    return ends


METRICS_PER_FACE = {
    "nme": lambda v: v,
    "fr10": lambda v: np.where(v > 10, 100.0, 0.0),
    "auc10": lambda v: metrics.auc_per_face(v, 10),
}


@pytest.mark.parametrize("block", [1, 3, 8 << 20], ids=["single rows", "three rows", "one block"])
@pytest.mark.parametrize("cells", [1, 64 << 20], ids=["single cells", "all cells"])
def test_blocks_give_the_bits_of_the_whole_matrix(monkeypatch, block, cells):
    """An odd number of photographs: the generator makes two numbers of 32 bits at a time, across rows and blocks."""
    rng = np.random.default_rng(6)
    clusters = rng.integers(0, 61, 101)
    values = np.exp(rng.normal(2, 0.6, (5, 101)))
    module = sys.modules["nmebench.statistics.bootstrap"]
    monkeypatch.setattr(module, "_BLOCK_BYTES", block if block > 3 else block * 8 * 61)
    monkeypatch.setattr(module, "_SUMS_BYTES", cells)
    found = bootstrap_metrics(values, clusters, list(METRICS), resamples=199, seed=11)
    for metric, interval in found.items():
        low, high = whole_matrix(values, clusters, metric, 199, 11)
        assert interval.low.tobytes() == low.tobytes()
        assert interval.high.tobytes() == high.tobytes()
        assert bootstrap(values, clusters, metric, resamples=199, seed=11).low.tobytes() == low.tobytes()


@pytest.mark.parametrize("several", [False, True], ids=["one face each", "several faces"])
def test_cells_with_few_none_or_all_failures_keep_the_bits_of_the_whole_matrix(several):
    """Few failures are counted on their photographs alone; without a success or a failure nothing is resampled."""
    rng = np.random.default_rng(9)
    clusters = rng.integers(0, 83, 150) if several else rng.permutation(83)
    values = np.full((5, len(clusters)), 4.0) + rng.random((5, len(clusters)))
    values[0, 7] = 21.0
    values[1, [3, 30, 31]] = [10.5, 11.0, 80.0]
    values[2] += 20  # all fail, and the AUC is 0
    values[4] += rng.choice([0, 9], len(clusters))
    found = bootstrap_metrics(values, clusters, list(METRICS), resamples=150, seed=4)
    for metric, interval in found.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = whole_matrix(values[[0, 1, 4]], clusters, metric, 150, 4)
        assert interval.low[[0, 1, 4]].tobytes() == low.tobytes()
        assert interval.high[[0, 1, 4]].tobytes() == high.tobytes()
    reach = 100 * (1 - 0.025 ** (1 / len(np.unique(clusters))))
    fr = found["fr10"]
    assert (fr.low[2], fr.high[2]) == (pytest.approx(100 - reach), 100.0)
    assert (fr.low[3], fr.high[3]) == (0.0, pytest.approx(reach))
    assert (found["auc10"].low[2], found["auc10"].high[2]) == (0.0, 0.0)


def test_memory_does_not_grow_with_the_resamples():
    """300 resamples of 20,000 photographs at once take 48 MB for each of three arrays."""
    values = np.exp(np.random.default_rng(1).normal(1, 0.5, (3, 20_000)))
    tracemalloc.start()
    bootstrap_metrics(values, np.arange(20_000), list(METRICS), resamples=300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6, f"{peak / 1e6:.0f} MB"
