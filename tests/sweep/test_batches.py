"""Faces a batch from a budget of bytes."""

from __future__ import annotations

import pytest

from nmebench import engines
from nmebench.models.card import Card
from nmebench.sweep.batches import BATCH_BYTES, batch_size_for


def _card(width: int, height: int) -> Card:
    return Card.model_validate({"name": "c", "architecture": "hrnetv2-w18", "input": {"size": (width, height)}})


@pytest.mark.parametrize(
    ("size", "points", "outputs", "faces"),
    [
        pytest.param((256, 256), 98, {"heatmaps"}, 12, id="WFLW"),
        pytest.param((256, 256), 68, {"heatmaps"}, 16, id="300-W"),
        pytest.param((256, 256), 98, {"heatmaps", "offsets"}, 4, id="with offsets"),
        pytest.param((112, 112), 98, {"landmarks"}, 64, id="small and direct: the most there is"),
        pytest.param((4096, 4096), 98, {"heatmaps"}, 1, id="one face exceeds the budget"),
    ],
)
def test_batch_size(size: tuple[int, int], points: int, outputs: set[str], faces: int) -> None:
    assert batch_size_for(_card(*size), points, frozenset(outputs)) == faces


def test_one_more_face_would_exceed_the_budget() -> None:
    faces = batch_size_for(_card(256, 256), 98, frozenset({"heatmaps"}))
    a_face = 3 * 256 * 256 + 2 * 3 * 256 * 256 * 4 + 4 * 98 * 64 * 64 * 4
    assert faces * a_face <= BATCH_BYTES["cpu"] < (faces + 1) * a_face


def test_a_gpu_takes_more_at_a_time() -> None:
    card = _card(256, 256)
    outputs = frozenset({"heatmaps"})
    assert batch_size_for(card, 98, outputs, "cuda") == 64 > batch_size_for(card, 98, outputs)


@pytest.mark.parametrize(
    ("name", "here", "device"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("openvino", True, "cpu"), ("cuda:precision=bf16", True, "cuda")],
)
def test_device_of(name: str, here: bool, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"torch": True, "openvino": True, "onnxruntime": True, "cuda": here}
    monkeypatch.setattr(engines, "available", lambda: known)
    assert engines.device_of(name) == device
