"""Extents equal those of a loop over faces and coordinates, with and without positions."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.geometry.extents import extents


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("points", [1, 5, 68])
def test_extents_match_a_loop(kind: type[np.floating], points: int) -> None:
    rng = np.random.default_rng(points)
    landmarks = rng.normal(0, 100, (30, points, 2)).astype(kind)
    landmarks[3] = np.nan
    landmarks[4, 1:] = np.nan
    landmarks[5, 0] = [np.inf, -np.inf]
    low, high = extents(landmarks)
    assert (low.dtype, high.dtype) == (kind, kind)
    for face, shape in enumerate(landmarks):
        for axis in range(2):
            known = [float(value) for value in shape[:, axis] if not np.isnan(value)] or [float("nan")]
            assert low[face, axis] == pytest.approx(min(known), nan_ok=True, rel=0, abs=0)
            assert high[face, axis] == pytest.approx(max(known), nan_ok=True, rel=0, abs=0)


def test_many_faces_are_reduced_in_parts() -> None:
    landmarks = np.random.default_rng(2).normal(0, 100, (2500, 3, 2))
    low, high = extents(landmarks)
    np.testing.assert_array_equal(low, landmarks.min(axis=1))
    np.testing.assert_array_equal(high, landmarks.max(axis=1))


def test_no_faces_have_no_extents() -> None:
    low, high = extents(np.empty((0, 68, 2)))
    assert low.shape == high.shape == (0, 2)
