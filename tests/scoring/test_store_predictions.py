"""Runs made from the landmarks of another program."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.scoring.store_predictions import store_predictions


@pytest.fixture
def data(tmp_path):
    truth = np.random.default_rng(0).uniform(0, 100, (4, 98, 2))
    np.savez(tmp_path / "truth.npz", landmarks=truth)
    np.savez(tmp_path / "mine.npz", landmarks=truth + 1.0)
    return f"landmarks:{tmp_path}/truth.npz"


def test_run_has_one_scored_cell(tmp_path, data):
    run = store_predictions(tmp_path / "mine.npz", data, tmp_path / "RUN", name="mine")
    assert [cell.id for cell in run.record.cells] == ["mine__direct__none__none"]
    expected = 100 * np.sqrt(2) / run.faces.normaliser
    np.testing.assert_allclose(run.per_face["mine__direct__none__none"], expected, rtol=1e-5)


def test_other_numbers_of_faces_or_landmarks_are_refused(tmp_path, data):
    np.savez(tmp_path / "few.npz", landmarks=np.zeros((3, 98, 2)))
    with pytest.raises(InputError, match=r"3 faces with 98 landmarks, but .* has 4 with 98; give one row per face"):
        store_predictions(tmp_path / "few.npz", data, tmp_path / "RUN", name="mine")
    assert not (tmp_path / "RUN").exists()
