"""Decoding on a device, on a stand-in: every tensor counts as one on a device, and a test counts the copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nmebench.sweep import execute, host_transfer
from nmebench.sweep.configuration import validate


def test_tensors_of_several_dtypes_keep_their_values_and_shapes() -> None:
    tensors = [torch.arange(6.0).reshape(2, 3), torch.tensor([7, 8]), torch.zeros(0, 4), torch.ones(1, 1, 2)]
    found = host_transfer.to_host(tensors)
    assert all(torch.equal(one, other) and one.dtype == other.dtype for one, other in zip(tensors, found, strict=True))


@pytest.mark.parametrize("model", ["small", "direct"])
def test_a_batch_comes_to_the_host_in_one_copy_with_the_same_landmarks(
    few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    card = small_card
    if model == "direct":
        card = tmp_path / "direct.toml"
        (tmp_path / "net.py").write_text(
            "import torch\n"
            "class Net(torch.nn.Module):\n"
            "    outputs = ('landmarks',)\n"
            "    def forward(self, images):\n"
            "        return {'landmarks': images.mean((1, 2))[:, :49, None].repeat(1, 2, 2) + 20}\n"
        )
        card.write_text(
            'name = "direct"\narchitecture = "python:net.py:Net"\n[input]\nsize = [64, 64]\n'
            '[output]\nkind = "landmarks"\n'
        )
    raw = {
        "data": f"wflw:{few_faces}", "models": [str(card)], "decoders": ["argmax", "dark"], "batch_size": 4,
        "flip": ["none", "flip", "flip-coords"], "engine": "torch", "threads": 1, "pictures": False,
    }  # fmt: skip
    one = validate(raw, where="a test")
    execute(one, tmp_path / "host")
    copies: list[int] = []
    copy = host_transfer._copy

    def counted(tensor: torch.Tensor) -> torch.Tensor:
        copies.append(tensor.numel())
        return copy(tensor)

    monkeypatch.setattr(host_transfer, "_copy", counted)
    monkeypatch.setattr(host_transfer, "is_on_device", lambda _: True)
    execute(one, tmp_path / "device")
    assert len(copies) == 3  # batches of 4, 4 and 3 faces
    for path in sorted((tmp_path / "host" / "landmarks").iterdir()):
        np.testing.assert_array_equal(np.load(path), np.load(tmp_path / "device" / "landmarks" / path.name))
    for path in sorted((tmp_path / "host" / "confidence").iterdir()):
        np.testing.assert_array_equal(np.load(path), np.load(tmp_path / "device" / "confidence" / path.name))
