"""Faces a batch from a budget of bytes."""

from __future__ import annotations

import pytest

from harness.sweep.plan import BATCH_BYTES, batch_size_for
from models.card import Card


def _card(width: int, height: int) -> Card:
    return Card.model_validate({"name": "c", "architecture": "hrnetv2-w18", "input": {"size": (width, height)}})


@pytest.mark.parametrize(
    ("size", "points", "outputs", "faces"),
    [
        pytest.param((256, 256), 98, {"heatmaps"}, 16, id="WFLW"),
        pytest.param((256, 256), 68, {"heatmaps"}, 21, id="300-W"),
        pytest.param((256, 256), 98, {"heatmaps", "offsets"}, 6, id="with offsets"),
        pytest.param((112, 112), 98, {"landmarks"}, 64, id="small and direct: the most there is"),
        pytest.param((4096, 4096), 98, {"heatmaps"}, 1, id="one face exceeds the budget"),
    ],
)
def test_batch_size(size: tuple[int, int], points: int, outputs: set[str], faces: int) -> None:
    assert batch_size_for(_card(*size), points, frozenset(outputs)) == faces


def test_one_more_face_would_exceed_the_budget() -> None:
    faces = batch_size_for(_card(256, 256), 98, frozenset({"heatmaps"}))
    a_face = 3 * 256 * 256 + 2 * 3 * 256 * 256 * 4 + 4 * 98 * 64 * 64 * 4
    assert faces * a_face <= BATCH_BYTES < (faces + 1) * a_face
