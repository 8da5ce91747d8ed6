"""SPIGA's AUC: a slow reference, the bound on its difference from the exact area, and SPIGA's printed numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nmebench import metrics


def slow_auc(nme: list[float], threshold: float, bins: int) -> float:
    """SPIGA's steps one by one, with Python's numbers."""
    low, high = min(nme), max(nme)
    if low == high:
        low, high = low - 0.5, high + 0.5
    width = (high - low) / bins
    edges = [low + width * place for place in range(bins)]
    curve, seen = [], 0
    for place in range(bins):
        inside = [e for e in nme if min(int((e - low) / width), bins - 1) == place]
        seen += len(inside)
        curve.append(seen / len(nme))
    points = [(x, y) for x, y in zip(edges, curve, strict=True) if x < threshold]
    if not points:
        return 0.0

    def simpson(ys: list[float]) -> float:
        return sum(width / 3 * (ys[k] + 4 * ys[k + 1] + ys[k + 2]) for k in range(0, len(ys) - 2, 2))

    ys = [y for _, y in points]
    if len(ys) % 2:
        area = simpson(ys)
    else:
        area = (
            simpson(ys[:-1]) + width / 2 * (ys[-2] + ys[-1]) + simpson(ys[1:]) + width / 2 * (ys[0] + ys[1])
            if len(ys) > 1
            else 0.0
        ) / 2
    if ys[-1] == 1:
        area += threshold - points[-1][0]
    return area / threshold


@pytest.mark.parametrize("bins", [1, 2, 3, 7, 50])
def test_equals_the_slow_reference(bins):
    rng = np.random.default_rng(bins)
    for _ in range(40):
        nme = rng.gamma(2.0, 2.0, size=int(rng.integers(1, 30)))
        threshold = float(rng.uniform(0.5, 14))
        assert metrics.auc_spiga(nme, threshold, bins) == pytest.approx(slow_auc(nme.tolist(), threshold, bins))


def test_differs_from_the_exact_area_within_the_bounds():
    rng = np.random.default_rng(0)
    largest = 0.0
    for _ in range(2000):
        size = int(rng.integers(1, 12))
        nme = rng.uniform(0, 12, size) if rng.integers(2) else rng.integers(0, 12, size).astype(float)
        bins, threshold = int(rng.integers(1, 12)), float(rng.uniform(0.5, 14))
        low, high = metrics.auc_spiga_bounds(nme, threshold, bins)
        difference = metrics.auc_spiga(nme, threshold, bins) - metrics.auc(nme, threshold)
        assert low - 1e-12 <= difference <= high + 1e-12
        largest = max(largest, difference / high, difference / low)
    assert largest > 0.5, "the bounds are far from what occurs"


def test_faces_that_have_no_area():
    assert np.isnan(metrics.auc_spiga([], 8.0))
    assert np.isnan(metrics.auc_spiga([1.0, np.nan], 8.0))
    assert metrics.auc_spiga([9.0, 12.0], 8.0) == 0.0
    assert metrics.auc_spiga([2.0], 8.0) == pytest.approx(0.75, abs=1e-3)


def test_printed_numbers_of_spiga(shared):
    """The values in SPIGA's results file, to all digits, and the exact areas."""
    with np.load(shared / "benchmarks" / "spiga_300wprivate.npz") as file:
        truth, predictions = file["gt"], file["pred"]
        subsets = {"all": slice(None), "indoor": file["subset_indoor"], "outdoor": file["subset_outdoor"]}
    published = json.loads((shared / "benchmarks" / "spiga_300wprivate.json").read_text())["published"]["landmarks"]
    nme = metrics.nme(metrics.point_errors(predictions, truth), np.sqrt(np.ptp(truth, axis=1).prod(axis=1)))
    printed = {"all": published["auc"], **{name: found["auc"] for name, found in published["subset"].items()}}
    for name, faces in subsets.items():
        assert 100 * metrics.auc_spiga(nme[faces], 7.0) == pytest.approx(printed[name], abs=1e-10)
    assert metrics.auc(nme, 7.0) == pytest.approx(0.710033, abs=5e-7)
