"""Fixtures: a run with two cells, and its baseline."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.gates import make_baseline

DARK = ("net", "dark", "flip+shift", "landmarks")
QUARTER = ("net", "quarter-offset", "flip+shift", "landmarks")


@pytest.fixture(scope="module")
def predictions(many_faces):
    """Predictions of two cells for 500 faces, with an NME of about 4 %."""
    rng = np.random.default_rng(3)
    scale = many_faces.normaliser[:, None, None] / 100
    noise = rng.normal(0, 3, many_faces.landmarks.shape) * scale
    return {DARK: many_faces.landmarks + noise, QUARTER: many_faces.landmarks + 1.1 * noise}


@pytest.fixture
def run(make_run, predictions, many_faces):
    return make_run(predictions, table=many_faces, name="good")


@pytest.fixture
def baseline(run):
    return make_baseline(run)
