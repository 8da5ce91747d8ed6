"""Every metric against a slow reference written from its definition."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nmebench import metrics

FACES = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 60, width=32))


def _nme_reference(errors, normaliser, mask=None):
    out = []
    for i, row in enumerate(errors):
        kept = [e / normaliser[i] for k, e in enumerate(row) if mask is None or mask[i][k]]
        out.append(100 * sum(kept) / len(kept) if kept else math.nan)
    return out


@pytest.fixture
def faces():
    rng = np.random.default_rng(3)
    truth = rng.uniform(0, 200, (6, 98, 2))
    return truth, truth + rng.normal(0, 3, truth.shape), rng.uniform(20, 60, 6), rng.random((6, 98)) > 0.4


def test_point_errors_are_distances(faces):
    truth, landmarks, _, _ = faces
    errors = metrics.point_errors(landmarks.astype(np.float32), truth)
    assert errors.dtype == np.float64
    assert errors[2, 7] == pytest.approx(math.dist(landmarks.astype(np.float32)[2, 7], truth[2, 7]), rel=1e-12)


@pytest.mark.parametrize("shape", [pytest.param((6, 97, 2), id="other-scheme"), pytest.param((98, 2), id="one-face")])
def test_point_errors_refuse_other_shapes(faces, shape):
    with pytest.raises(ValueError, match=r"\[N, K, 2\]"):
        metrics.point_errors(np.zeros(shape), faces[0])


@pytest.mark.parametrize("masked", [pytest.param(False, id="all"), pytest.param(True, id="masked")])
def test_nme_is_the_mean_over_landmarks(faces, masked):
    truth, landmarks, normaliser, mask = faces
    errors = metrics.point_errors(landmarks, truth)
    chosen = mask if masked else None
    np.testing.assert_allclose(
        metrics.nme(errors, normaliser, chosen), _nme_reference(errors, normaliser, chosen), rtol=1e-12
    )


def test_pooled_nme_averages_landmarks_and_drops_zero_normalisers(faces):
    truth, landmarks, normaliser, mask = faces
    errors = metrics.point_errors(landmarks, truth)
    normaliser = normaliser.copy()
    normaliser[1] = 0
    pool = [100 * errors[i, k] / normaliser[i] for i in range(6) for k in range(98) if mask[i, k] and normaliser[i]]
    assert metrics.pooled_nme(errors, normaliser, mask) == pytest.approx(sum(pool) / len(pool), rel=1e-12)
    assert math.isnan(metrics.pooled_nme(errors, np.zeros(6)))


def test_nme_per_landmark_and_per_group(faces):
    truth, landmarks, normaliser, _ = faces
    errors = metrics.point_errors(landmarks, truth)
    per_landmark = metrics.nme_per_landmark(errors, normaliser)
    assert per_landmark.mean() == pytest.approx(metrics.nme(errors, normaliser).mean(), rel=1e-12)
    groups = metrics.nme_per_group(errors, normaliser, {"nose": [51, 52, 53], "none": []})
    assert groups["nose"].mean() == pytest.approx(per_landmark[51:54].mean(), rel=1e-12)
    assert np.isnan(groups["none"]).all()


@given(FACES, st.floats(0.5, 20))
def test_auc_is_the_integral_of_the_ced(values, threshold):
    edges = np.unique(np.concatenate([[0.0, threshold], values[values < threshold]]))
    area = sum((right - left) * np.mean(values <= left) for left, right in itertools.pairwise(edges))
    assert metrics.auc(values, threshold) == pytest.approx(area / threshold, abs=1e-12)


@given(FACES, st.floats(0.5, 20))
def test_ced_and_failure_rate_are_complements(values, threshold):
    curve = metrics.ced(values, [threshold, 1e9])
    assert curve[1] == 1
    assert metrics.failure_rate(values, threshold) == pytest.approx(100 * (1 - curve[0]), abs=1e-9)
    assert metrics.failures(values, threshold) == sum(v > threshold for v in values)


def test_face_at_the_threshold_does_not_fail():
    values = [10.0, np.nextafter(10.0, 11)]
    assert metrics.failures(values) == 1
    assert metrics.failures_per_face(values).tolist() == [False, True]
    assert metrics.failure_rate(values) == 50.0
    assert metrics.per_face(values, "fr10").tolist() == [0.0, 100.0]


def test_auc_hrnet_is_simpsons_rule_with_both_ends_of_the_grid():
    """The step function of one face at half the threshold, on 5 grid points: 0, 0, 1, 1, 1 by Simpson's rule."""
    assert metrics.auc_hrnet([5.0], threshold=10.0, step=2.5) == pytest.approx((0 + 4 * 0 + 2 * 1 + 4 * 1 + 1) / 12)
    # A face at the last grid point counts there: the grid includes the threshold.
    assert metrics.auc_hrnet([10.0], threshold=10.0, step=2.5) == pytest.approx(1 / 12)
    assert metrics.auc_hrnet([10.1], threshold=10.0, step=2.5) == 0.0


def test_auc_hrnet_divides_by_the_number_of_faces():
    assert metrics.auc_hrnet([5.0, 20.0], 10.0, 2.5) == pytest.approx(metrics.auc_hrnet([5.0], 10.0, 2.5) / 2)


@pytest.mark.parametrize(
    ("errors", "normaliser"),
    [pytest.param(np.ones((2, 3)), np.ones(3), id="faces"), pytest.param(np.ones(2), np.ones(2), id="one-axis")],
)
def test_nme_refuses_other_shapes(errors, normaliser):
    with pytest.raises(ValueError, match=r"must be \[N, K\]"):
        metrics.nme(errors, normaliser)


def test_auc_hrnet_keeps_one_grid_point_too_many():
    """With a threshold of 5 % the scripts' grid ends at 5.01 %, so that perfect faces score more than 1."""
    assert metrics.auc_hrnet([0.0], 5.0) == pytest.approx(5.01 / 5.0)
    assert metrics.auc_hrnet([0.0], 10.0) == pytest.approx(1.0)


def test_nan_is_a_failure():
    values = [1.0, math.nan, 2.0, math.inf]
    assert metrics.failures(values) == 2
    assert metrics.auc(values) == pytest.approx((9 + 8) / 40)
    assert metrics.ced(values, [10.0])[0] == 0.5


def test_ced_without_faces_is_nan_at_every_threshold():
    curve = metrics.ced([], [1.0, 2.0, 3.0])
    assert curve.shape == (3,)
    assert np.isnan(curve).all()
    assert metrics.ced_counts([], [1.0, 2.0]).tolist() == [0, 0]


def test_degenerate_faces_give_no_warnings():
    """A normaliser of 0 gives infinity, or NaN where the error is 0 too; so does a face without a counted landmark."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.nme([[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]], [0.0, 0.0, 5.0], [[1, 1], [1, 1], [0, 0]])
        assert found[0] == np.inf
        assert np.isnan(found[1:]).all()
        assert np.isnan(metrics.nme_per_landmark([[1.0, 2.0]], [5.0], [[True, False]])[1])
        assert math.isnan(metrics.pooled_nme([[1.0, 2.0]], [0.0]))


@pytest.mark.parametrize("function", [metrics.auc, metrics.auc_hrnet, metrics.failure_rate], ids=lambda f: f.__name__)
def test_no_faces_give_nan(function):
    assert math.isnan(function([]))


@given(FACES, st.floats(0.5, 20))
def test_fr_and_auc_are_means_of_their_values_per_face(values, threshold):
    assert 100 * metrics.failures_per_face(values, threshold).mean() == pytest.approx(
        metrics.failure_rate(values, threshold), rel=1e-12
    )
    assert metrics.auc_per_face(values, threshold).mean() == pytest.approx(
        metrics.auc(values, threshold), rel=1e-12, abs=1e-15
    )


@given(FACES)
def test_per_face_selects_the_metric(values):
    assert metrics.per_face(values, "fr10").mean() == metrics.failure_rate(values)
    np.testing.assert_array_equal(metrics.per_face(values, "auc10"), metrics.auc_per_face(values))
    np.testing.assert_array_equal(metrics.per_face(values, "nme"), values)


@given(FACES, st.floats(0.5, 20))
def test_ced_divides_its_counts(values, threshold):
    counts = metrics.ced_counts(values, [threshold])
    assert counts.dtype == np.int64
    assert counts[0] == len(values) - metrics.failures(values, threshold)
    assert metrics.ced(values, [threshold])[0] == counts[0] / len(values)


def test_unknown_metric_is_refused():
    with pytest.raises(
        ValueError, match=r"unknown metric 'acu'; did you mean 'auc10'\? \(known: nme, fr10, auc10, and other"
    ):
        metrics.per_face([1.0], "acu")
