"""Parity with mmpose, HRNet, STAR and SPIGA on the same numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nmebench import metrics

LISTS = [
    "lognormal_2500",
    "lognormal_698",
    "small_4",
    "one_ok",
    "one_fail",
    "all_fail",
    "all_ok",
    "exact_at_thr",
    "just_over",
    "zeros",
    "with_huge",
    "identical",
]


@pytest.fixture(scope="module")
def oracle(shared):
    return shared / "oracle" / "metrics"


@pytest.mark.parametrize("threshold", [0.1, 0.08, 0.05])
@pytest.mark.parametrize("name", LISTS)
def test_fr_and_auc_match_hrnet_and_star(oracle, name, threshold):
    values = 100 * np.load(oracle / "nme_lists.npz")[name]
    expected = json.loads((oracle / "fr_auc.json").read_text())["results"][name][str(threshold)]
    # 100 * 0.08 is not exactly 8, so scale the threshold as the list was scaled.
    limit = 100 * threshold
    assert metrics.auc(values, limit) == pytest.approx(expected["exact"]["auc_exact"], abs=1e-9)
    assert metrics.failure_rate(values, limit) == pytest.approx(100 * expected["exact"]["fr_gt"], abs=1e-9)
    assert metrics.auc_hrnet(values, limit) == pytest.approx(expected["star"]["auc_unrounded"], abs=1e-9)


def test_auc_hrnet_keeps_the_extra_grid_point(oracle):
    values = 100 * np.load(oracle / "nme_lists.npz")["lognormal_2500"]
    assert metrics.auc_hrnet(values, 5.0) - metrics.auc(values, 5.0) > 1e-3
    assert abs(metrics.auc_hrnet(values, 10.0) - metrics.auc(values, 10.0)) < 1e-5


@pytest.mark.parametrize("name", ["noise1", "noise5", "noise20", "int_quantised"])
def test_nme_matches_mmpose_hrnet_and_star(oracle, name):
    data = np.load(oracle / "nme_preds.npz")
    expected = json.loads((oracle / "nme.json").read_text())[name]
    truth, mask = data["gt"].astype(np.float64), data["vis_masked"] > 0
    errors = metrics.point_errors(data[f"pred_{name}"], truth)
    normaliser = np.linalg.norm(truth[:, 60] - truth[:, 72], axis=1)
    faces = metrics.nme(errors, normaliser)
    for form in ("official_per_face", "star_per_face"):
        np.testing.assert_allclose(faces / 100, expected[form], atol=1e-6)
    assert faces.mean() / 100 == pytest.approx(expected["official_mean"], abs=1e-6)
    assert metrics.pooled_nme(errors, normaliser) / 100 == pytest.approx(expected["mmpose_NME"], abs=1e-6)
    assert metrics.pooled_nme(errors, normaliser, mask) / 100 == pytest.approx(expected["mmpose_NME_masked"], abs=1e-6)
    assert np.nanmean(metrics.nme(errors, normaliser, mask)) / 100 == pytest.approx(
        expected["per_face_mean_then_mean_masked"], abs=1e-6
    )
    zero = data["gt_zero_iod"].astype(np.float64)
    assert metrics.pooled_nme(
        metrics.point_errors(data[f"pred_{name}"], zero),
        np.linalg.norm(zero[:, 60] - zero[:, 72], axis=1),
    ) / 100 == pytest.approx(expected["mmpose_NME_zero_interocular_face1"], abs=1e-6)


def test_spiga_predictions_on_300w_match_its_scores(oracle):
    data = np.load(oracle / "spiga_real_300wpublic.npz")
    expected = json.loads((oracle / "spiga_real_300wpublic.json").read_text())["corners"]
    errors = metrics.point_errors(data["pred"], data["gt"])
    faces = metrics.nme(errors, np.linalg.norm(data["gt"][:, 36] - data["gt"][:, 45], axis=1))
    np.testing.assert_allclose(faces, data["nme_percent_corners"], atol=1e-9)
    assert round(float(faces.mean()), 4) == 2.9937
    assert metrics.auc(faces, 8.0) == pytest.approx(expected["exact"]["auc_exact"], abs=1e-9)
    assert metrics.failures(faces, 8.0) == 5
