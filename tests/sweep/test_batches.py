"""The batch size follows from a budget of bytes, and batches keep the faces of a photograph together."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from nmebench import datasets, engines
from nmebench.models.card import Card
from nmebench.sweep.batches import BATCH_BYTES, batch_size_for, batches_of


def _card(width: int, height: int) -> Card:
    return Card.model_validate({"name": "c", "architecture": "hrnetv2-w18", "input": {"size": (width, height)}})


@pytest.mark.parametrize(
    ("size", "points", "outputs", "faces"),
    [
        pytest.param((256, 256), 98, {"heatmaps"}, 12, id="WFLW"),
        pytest.param((256, 256), 68, {"heatmaps"}, 16, id="300-W"),
        pytest.param((256, 256), 98, {"heatmaps", "offsets"}, 4, id="with offsets"),
        pytest.param((256, 256), 98, {"heatmaps", "logits"}, 6, id="with logits"),
        pytest.param((112, 112), 98, {"landmarks"}, 64, id="small input and landmarks: the maximum"),
        pytest.param((4096, 4096), 98, {"heatmaps"}, 1, id="one face exceeds the budget"),
    ],
)
def test_batch_size(size: tuple[int, int], points: int, outputs: set[str], faces: int) -> None:
    assert batch_size_for(_card(*size), points, frozenset(outputs)) == faces


def test_one_more_face_would_exceed_the_budget() -> None:
    faces = batch_size_for(_card(256, 256), 98, frozenset({"heatmaps"}))
    bytes_per_face = 3 * 256 * 256 + 2 * 3 * 256 * 256 * 4 + 4 * 98 * 64 * 64 * 4
    assert faces * bytes_per_face <= BATCH_BYTES["cpu"] < (faces + 1) * bytes_per_face


def test_batches_of_a_gpu_are_larger() -> None:
    card = _card(256, 256)
    outputs = frozenset({"heatmaps"})
    assert batch_size_for(card, 98, outputs, "cuda") == 64 > batch_size_for(card, 98, outputs)


@pytest.mark.parametrize(
    ("name", "gpu", "device"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("openvino", True, "cpu"), ("cuda:precision=bf16", True, "cuda")],
)
def test_device_of(name: str, gpu: bool, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"torch": True, "openvino": True, "onnxruntime": True, "cuda": gpu}
    monkeypatch.setattr(engines, "available", lambda: known)
    assert engines.device_of(name) == device


@pytest.mark.parametrize("batch_size", [1, 4, 11, 64])
def test_batches_hold_every_face_once_and_keep_photographs_together(few_faces: Path, batch_size: int) -> None:
    dataset = datasets.load(f"wflw:{few_faces}")
    batches = batches_of(dataset, batch_size)
    order = np.concatenate(batches)
    assert sorted(order.tolist()) == list(range(11))
    assert [len(rows) for rows in batches[:-1]] == [batch_size] * (len(batches) - 1)
    images = [dataset.images[row] for row in order]
    changes = sum(one != other for one, other in pairwise(images))
    assert changes == len(set(images)) - 1
