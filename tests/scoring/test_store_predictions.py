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


def notes_of(run):
    return [note for note in run.record.dataset.notes if "predictions" in note]


def test_notes_of_the_predictions_are_stored(tmp_path, data):
    with np.load(tmp_path / "truth.npz") as file:
        truth = file["landmarks"]
    cases = {
        "good": (truth + 1.0, None),
        "double": (truth * 2, "suspect: predictions: the median NME is"),
        "whole": (np.rint(truth).astype(int), "the predictions are whole numbers"),
        "half": (truth.astype(np.float16), "the predictions are float16"),
    }
    for name, (landmarks, start) in cases.items():
        np.savez(tmp_path / f"{name}.npz", landmarks=landmarks)
        found = notes_of(store_predictions(tmp_path / f"{name}.npz", data, tmp_path / name, name=name))
        assert len(found) == (start is not None)
        assert all(note.startswith(start) for note in found)


def test_faces_of_a_photograph_in_another_order_are_suspect(tmp_path):
    truth = np.random.default_rng(0).uniform(0, 100, (4, 98, 2)) + np.array([0, 500, 0, 0])[:, None, None]
    np.savez(tmp_path / "truth.npz", landmarks=truth, images=np.array(["d/a.jpg", "d/a.jpg", "d/b.jpg", "d/c.jpg"]))
    header = ",".join(["face", "image", *(f"{axis}{k}" for k in range(98) for axis in "xy")])
    rows = [
        [face, image, *truth[place].ravel()]
        for face, image, place in [(1, "a.jpg", 0), (0, "a.jpg", 1), (2, "d\\b.jpg", 2), (3, "c.jpg", 3)]
    ]
    (tmp_path / "p.csv").write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]))
    run = store_predictions(tmp_path / "p.csv", f"landmarks:{tmp_path}/truth.npz", tmp_path / "RUN", name="mine")
    assert any(
        note.startswith(
            "suspect: 2 predictions fit another face of their photograph better, first face 0 (row 3, 'd/a.jpg')"
        )
        for note in run.record.dataset.notes
    )
