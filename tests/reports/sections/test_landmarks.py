"""NME by landmark and by group."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.reports.sections import landmarks
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


@pytest.fixture(scope="module")
def view(small_run: Run) -> RunView:
    return RunView(small_run)


def test_nme_per_landmark_matches_a_loop(view: RunView) -> None:
    table = landmarks.per_landmark(view)
    faces, cell = view.run.faces, view.cells[3]
    predicted = view.run.landmarks(cell.id)
    for k in (0, 54, 97):
        slow = [
            100 * float(np.hypot(*(predicted[i, k].astype(float) - faces.landmarks[i, k]))) / faces.normaliser[i]
            for i in range(len(faces))
        ]
        assert table[3, k] == pytest.approx(np.mean(slow))
    # The mean over landmarks is the mean NME.
    np.testing.assert_allclose(table.mean(1), view.nme.mean(1), rtol=1e-6)


def test_groups_are_in_order_and_average_their_landmarks(view: RunView) -> None:
    found = landmarks.section(view)
    assert found is not None
    assert [name for name, _ in found.groups][:3] == ["contour", "right-brow", "left-brow"]
    assert found.rows[0].values[0] == pytest.approx(found.table[0, :33].mean())
    assert len(found.faces) == 2
    assert all(len(face.dots) == 98 for face in found.faces)


def test_mean_face_ignores_position_and_size() -> None:
    shape = np.random.default_rng(0).random((5, 2))
    size = np.array([[10.0, 20.0], [100.0, 50.0]])
    centre = np.array([[3.0, 4.0], [-200.0, 9.0]])
    faces = centre[:, None] + shape * size[:, None]
    np.testing.assert_allclose(landmarks.mean_face(faces, centre, size), shape)
