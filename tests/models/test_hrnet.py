"""HRNetV2-W18 against mmpose's own heatmaps, with each naming of its checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nmebench import models
from nmebench.models import checkpoint
from nmebench.models.hrnet import HRNetV2, bilinear_fusion

TOLERANCE = 5e-6


@pytest.fixture(scope="module")
def weights(shared: Path) -> Path:
    return shared / "oracle/model/hrnetv2_w18_wflw_mm0.pth"


@pytest.fixture(scope="module")
def state(weights: Path) -> dict[str, Tensor]:
    content = torch.load(weights, weights_only=True)
    return dict(content["state_dict"])


@pytest.fixture(scope="module")
def images(shared: Path) -> Tensor:
    with np.load(shared / "oracle/preproc/faces4.npz") as file:
        return torch.from_numpy(file["input_tensor"])


@pytest.fixture(scope="module")
def expected(shared: Path) -> NDArray[np.float32]:
    with np.load(shared / "oracle/model/outputs.npz") as file:
        found: NDArray[np.float32] = file["heatmaps"]
        return found


@pytest.fixture(scope="module")
def untrained_network() -> nn.Module:
    return HRNetV2()


@pytest.fixture(scope="module")
def loaded_network(weights: Path) -> nn.Module:
    return models.create("hrnetv2-w18", weights)


def _difference(module: nn.Module, images: Tensor, expected: NDArray[np.float32]) -> float:
    with torch.inference_mode():
        found = module(images)["heatmaps"].numpy()
    return float(np.abs(found - expected).max())


def test_heatmaps_equal_mmposes(loaded_network: nn.Module, images: Tensor, expected: NDArray[np.float32]) -> None:
    assert not loaded_network.training
    assert _difference(loaded_network, images, expected) < TOLERANCE


def test_timms_nearest_upsampling_gives_other_heatmaps(
    weights: Path, images: Tensor, expected: NDArray[np.float32]
) -> None:
    module = models.create("hrnetv2-w18", weights, fusion="nearest")
    assert _difference(module, images[:1], expected[:1]) > 0.05


def test_flipped_pass_equals_mmposes(
    shared: Path, loaded_network: nn.Module, images: Tensor, expected: NDArray[np.float32]
) -> None:
    """Heatmaps of the mirrored input, mirrored back, left and right landmarks swapped, moved right by one px."""
    table = json.loads((shared / "oracle/preproc/flip_indices.json").read_text())
    indices = table["mmpose"]
    with torch.inference_mode():
        flipped = loaded_network(images.flip(-1))["heatmaps"].flip(-1)[:, indices]
    shifted = flipped.clone()
    shifted[..., 1:] = flipped[..., :-1]
    with np.load(shared / "oracle/model/outputs.npz") as file:
        assert float(np.abs(shifted.numpy() - file["heatmaps_flip_shifted"]).max()) < TOLERANCE
        mean = (expected + shifted.numpy()) / 2
        assert float(np.abs(mean - file["heatmaps_fliptest"]).max()) < TOLERANCE


def _mmpose_1x(state: dict[str, Tensor]) -> dict[str, Tensor]:
    head = {"0": "conv_layers.0", "1": "conv_layers.1", "3": "final_layer"}

    def name(key: str) -> str:
        if not key.startswith("keypoint_head.final_layer."):
            return key
        index, _, leaf = key.removeprefix("keypoint_head.final_layer.").partition(".")
        return f"head.{head[index]}.{leaf}"

    return {name(k): v for k, v in state.items()}


def _official_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix("backbone.").replace("keypoint_head.final_layer.", "head."): v for k, v in state.items()}


def _with_module_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"module.{k}": v for k, v in state.items()}


@pytest.mark.parametrize(
    ("rename", "wrap", "naming", "renamed"),
    [
        pytest.param(dict, "state_dict", "mmpose 0.x", 9, id="mmpose 0.x"),
        pytest.param(_mmpose_1x, "state_dict", "mmpose 1.x", 0, id="mmpose 1.x"),
        pytest.param(_official_names, None, "official HRNet", 1839, id="official"),
        pytest.param(
            lambda s: _with_module_prefix(_official_names(s)),
            "state_dict",
            "official HRNet",
            1839,
            id="official, parallel",
        ),
        pytest.param(
            lambda s: _with_module_prefix(_mmpose_1x(s)), "model", "mmpose 1.x", 0, id="1.x, parallel, model wrapper"
        ),
    ],
)
def test_each_naming_loads(
    state: dict[str, Tensor],
    untrained_network: nn.Module,
    tmp_path: Path,
    rename: Callable[[dict[str, Tensor]], dict[str, Tensor]],
    wrap: str | None,
    naming: str,
    renamed: int,
) -> None:
    file = tmp_path / "weights.pth"
    tensors = rename(state)
    torch.save({wrap: tensors, "meta": {"epoch": 60}} if wrap else tensors, file)
    with torch.no_grad():
        for value in untrained_network.state_dict().values():
            value.zero_()
    loaded = checkpoint.load(untrained_network, file)
    assert loaded.naming == naming
    assert sum(loaded.renamed.values()) == renamed
    wanted = _mmpose_1x(state)  # this project uses the names of mmpose 1.x
    assert set(untrained_network.state_dict()) == set(wanted)
    assert all(torch.equal(value, wanted[key]) for key, value in untrained_network.state_dict().items())


def test_float16_safetensors_become_float32(
    state: dict[str, Tensor], untrained_network: nn.Module, tmp_path: Path
) -> None:
    file = tmp_path / "weights.safetensors"
    half = {k: v.half() if v.is_floating_point() else v for k, v in _mmpose_1x(state).items()}
    safetensors.torch.save_file(half, file)
    module = untrained_network
    checkpoint.load(module, file)
    kinds = {v.dtype for v in module.state_dict().values()}
    assert kinds == {torch.float32, torch.int64}
    key = "head.final_layer.weight"
    assert torch.equal(module.state_dict()[key], half[key].float())


def test_all_upsampling_layers_are_switched() -> None:
    module = HRNetV2()
    layers = [m for m in module.modules() if isinstance(m, nn.Upsample)]
    assert len(layers) == 31
    assert {(m.mode, m.align_corners) for m in layers} == {("bilinear", False)}
    assert bilinear_fusion(module, "nearest") == 31
    assert {(m.mode, m.align_corners) for m in layers} == {("nearest", None)}
