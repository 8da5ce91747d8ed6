"""The networks with offset maps and with SimCC's distributions: outputs, budget, gradients, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from nmebench import models
from nmebench.models.simcc_head import SimccHead

NAMES = ("offset-mobilenetv3", "simcc-mobilenetv3")


def test_offsets_follow_their_label_in_the_last_layer() -> None:
    """The maps of a landmark are (label, x, y), as in mmpose's combined target."""
    module = models.create("offset-mobilenetv3", points=4)
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        outputs = module(images)
        raw = super(type(module), module).forward(images)["heatmaps"]
    assert tuple(outputs) == module.outputs == ("heatmaps", "offsets")
    assert raw.shape == (2, 12, 16, 24)
    for point in range(4):
        assert torch.equal(outputs["heatmaps"][:, point], raw[:, 3 * point])
        for axis in range(2):
            assert torch.equal(outputs["offsets"][:, point, axis], 3.5 * raw[:, 3 * point + 1 + axis])


@pytest.mark.parametrize("size", [64, 128, 256])
def test_simcc_gives_distributions_over_the_whole_input_at_every_size(size: int) -> None:
    module = models.create("simcc-mobilenetv3", points=3)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        outputs = module(images)
    assert tuple(outputs) == module.outputs == ("simcc_x", "simcc_y")
    for value in outputs.values():
        assert value.shape == (2, 3, 512)
        assert float(value.min()) >= 0
        torch.testing.assert_close(value.sum(dim=-1), torch.ones(2, 3))


def test_simcc_gives_logits_in_training_mode() -> None:
    module = models.create("simcc-mobilenetv3", points=3)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 0.0
    with torch.no_grad():
        evaluated = module(images)["simcc_x"]
        module.training = True  # the module itself only: its BatchNorms stay in eval mode
        logits = module(images)["simcc_x"]
    torch.testing.assert_close(torch.softmax(logits, dim=-1), evaluated)
    assert not torch.allclose(logits.sum(dim=-1), torch.ones(2, 3))


def test_simccs_head_against_its_definition() -> None:
    torch.manual_seed(0)
    head = SimccHead([3, 5], 2, width=4, grid=(4, 3), bins=(7, 9)).eval()
    maps = [torch.randn(1, 3, 6, 8), torch.randn(1, 5, 3, 4)]
    coarse = F.interpolate(
        torch.einsum("oc,nchw->nohw", head.laterals[1].weight[:, :, 0, 0], maps[1]),
        size=(6, 8),
        mode="bilinear",
        align_corners=False,
    )
    total = torch.einsum("oc,nchw->nohw", head.laterals[0].weight[:, :, 0, 0], maps[0]) + coarse
    hidden = (total / (1 + 1e-5) ** 0.5).clamp(min=0)  # BatchNorm as it starts, then ReLU
    hidden = F.conv2d(hidden, head.mix[0].weight, stride=2, padding=1)
    hidden = (hidden / (1 + 1e-5) ** 0.5).clamp(min=0)
    small = torch.einsum("oc,nchw->nohw", head.final_layer.weight[:, :, 0, 0], hidden)
    flat = (small + head.final_layer.bias[:, None, None]).reshape(1, 2, 12)
    x, y = head(maps)
    torch.testing.assert_close(x, flat @ head.x.weight.t() + head.x.bias)
    torch.testing.assert_close(y, flat @ head.y.weight.t() + head.y.bias)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    module = models.create(name, points=4).train()
    outputs = module(torch.randn(2, 3, 64, 64))
    sum(value.square().sum() for value in outputs.values()).backward()
    # The last maps of the heatmap family's backbone all have a part in the heads.
    used = [n for n, p in module.named_parameters() if p.grad is None]
    assert not used


@pytest.mark.parametrize("name", NAMES)
def test_the_networks_fit_the_budget_as_float16(name: str) -> None:
    size = sum(v.numel() * (2 if v.dim() > 1 else 4) for v in models.create(name).state_dict().values())
    assert size < 2_250_000


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        pytest.param("offset-mobilenetv3", {"points": 0}, "points=0 must be at least 1", id="no points"),
        pytest.param("offset-mobilenetv3", {"radius": 0.0}, "radius=0.0 must be a positive", id="no radius"),
        pytest.param("simcc-mobilenetv3", {"points": 0}, "points=0", id="simcc without points"),
        pytest.param("simcc-mobilenetv3", {"input_size": 100}, "must be a multiple of 32", id="odd input"),
        pytest.param("simcc-mobilenetv3", {"split": 1e-3}, "split=0.001 leaves [0, 0] bins", id="no bins"),
    ],
)
def test_bad_options_are_one_line(name: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(models.ModelError) as error:
        models.create(name, **options)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
