"""DeepPose: units of the landmarks, and the namings of mmpose's checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from nmebench import models
from nmebench.models import checkpoint
from nmebench.models.regression import Regression


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    module = Regression(points=5, backbone="resnet18")
    return {k: v.clone() for k, v in module.state_dict().items()}


@pytest.mark.parametrize(
    ("theirs", "naming"),
    [
        pytest.param("keypoint_head.fc.", "mmpose 0.x", id="mmpose 0.x"),
        pytest.param("keypoint_head.fcs.0.", "mmpose 0.x", id="mmpose 0.x, list"),
        pytest.param("head.fc.", "mmpose 1.x", id="mmpose 1.x"),
    ],
)
def test_namings(tmp_path: Path, state: dict[str, Tensor], theirs: str, naming: str) -> None:
    file = tmp_path / "w.pth"
    torch.save({"state_dict": {k.replace("head.fc.", theirs): v for k, v in state.items()}}, file)
    module = Regression(points=5, backbone="resnet18")
    assert checkpoint.load(module, file).naming == naming
    assert torch.equal(module.state_dict()["head.fc.weight"], state["head.fc.weight"])


def test_fractions_become_input_px(state: dict[str, Tensor]) -> None:
    fraction, pixels = (
        models.create("regression", points=5, backbone="resnet18", unit=unit) for unit in ("crop-fraction", "input-px")
    )
    fraction.load_state_dict(state)
    pixels.load_state_dict(state)
    images = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        raw, found = pixels(images)["landmarks"], fraction(images)["landmarks"]
    assert found.shape == (2, 5, 2)
    assert torch.allclose(found, raw * torch.tensor([96.0, 64.0]))


def test_pooling_and_linear_layer_equal_their_definition(state: dict[str, Tensor]) -> None:
    module = models.create("regression", points=5, backbone="resnet18", unit="input-px")
    module.load_state_dict(state)
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        features = module.get_submodule("backbone").forward_features(images)  # type: ignore[operator]
        expected = features.mean((2, 3)) @ state["head.fc.weight"].T + state["head.fc.bias"]
        assert torch.allclose(module(images)["landmarks"].flatten(1), expected, atol=1e-5)


def test_defaults_are_the_published_resnet50() -> None:
    module = models.create("regression")
    assert module.state_dict()["head.fc.weight"].shape == (196, 2048)
    assert "backbone.layer3.5.conv3.weight" in module.state_dict()
    assert "backbone.layer1.0.downsample.0.weight" in module.state_dict()
    assert not [k for k in module.state_dict() if k.startswith("backbone.fc")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "px"}, "unknown unit 'px'"),
        ({"layout": "xyz"}, "unknown layout 'xyz'"),
        ({"grid": "corner"}, "unknown grid 'corner'"),
    ],
)
def test_unknown_options(options: dict[str, str], message: str) -> None:
    with pytest.raises(models.ModelError, match=message):
        models.create("regression", **options)


def test_layout_and_unit_of_the_linear_layer(state: dict[str, Tensor]) -> None:
    plain, other = (
        models.create("regression", points=5, backbone="resnet18", **options)
        for options in ({"unit": "input-px"}, {"unit": "crop-centred", "layout": "xs-ys", "grid": "half-pixel"})
    )
    plain.load_state_dict(state)
    other.load_state_dict(state)
    images = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        flat = plain(images)["landmarks"].reshape(2, 10)
        found = other(images)["landmarks"]
    for face in range(2):
        for point in range(5):
            x, y = flat[face, point], flat[face, 5 + point]
            expected = [(float(x) + 1) / 2 * 96 - 0.5, (float(y) + 1) / 2 * 64 - 0.5]
            assert found[face, point].tolist() == pytest.approx(expected, abs=1e-4)
