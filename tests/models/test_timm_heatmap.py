"""The trained family and timm's other backbones: shapes, size limit, gradients, errors."""

from __future__ import annotations

import pytest
import timm
import torch
import torch.nn.functional as F

from nmebench import models
from nmebench.models.oracle import gaussians
from nmebench.models.timm_heatmap import TimmHeatmap

FAMILY = ("heatmap-hrnet-small", "heatmap-mobilenetv3", "heatmap-resnet10-deconv")
SHIPPED_LIMIT = 15_000_000


@pytest.mark.parametrize("name", [*FAMILY, "timm:resnet18", "mobilenetv3_small_050", "timm:vit_tiny_patch16_224"])
def test_heatmaps_have_a_quarter_of_the_input_size(name: str) -> None:
    module = models.create(name, points=7)
    assert not module.training
    assert module.reads == "images"
    with torch.inference_mode():
        maps = module(torch.zeros(1, 3, 256, 256))["heatmaps"]
    assert maps.shape == (1, 7, 64, 64)
    assert maps.dtype == torch.float32


def test_channels_last_backbone() -> None:
    """The Swin family gives maps ``[N, h, w, C]``."""
    module = models.create("timm:swin_tiny_patch4_window7_224", points=2, width=8, input_size=128)
    with torch.inference_mode():
        assert module(torch.zeros(1, 3, 128, 128))["heatmaps"].shape == (1, 2, 32, 32)


@pytest.mark.parametrize("name", FAMILY)
def test_single_images_equal_the_batch(name: str) -> None:
    module = models.create(name, points=3)
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together = module(images)["heatmaps"]
        alone = torch.cat([module(image[None])["heatmaps"] for image in images])
    assert float((together - alone).abs().max()) < 1e-5


def test_family_is_below_the_size_limit_as_float16() -> None:
    sizes = [sum(v.numel() * 2 for v in models.create(name).state_dict().values()) for name in FAMILY]
    assert sum(sizes) < SHIPPED_LIMIT


@pytest.mark.parametrize("name", FAMILY)
def test_training_lowers_the_loss(name: str) -> None:
    """Every parameter gets a gradient, and the MSE against Gaussians of peak 1 falls within a few steps."""
    torch.manual_seed(0)
    module = models.create(name, points=4).train()
    images = torch.randn(2, 3, 64, 64)
    target = gaussians(torch.rand(2, 4, 2) * 12 + 2, (16, 16), 2.0)
    adam = torch.optim.Adam(module.parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        loss = F.mse_loss(module(images)["heatmaps"], target)
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(float(loss.detach()))
        without = [n for n, p in module.named_parameters() if p.grad is None]
        assert not without
        adam.step()
    assert losses[-1] < 0.6 * losses[0]


def test_untrained_network_gives_almost_empty_heatmaps() -> None:
    with torch.inference_mode():
        maps = models.create("heatmap-mobilenetv3")(torch.randn(1, 3, 256, 256))["heatmaps"]
    assert float(maps.abs().max()) < 0.5


def test_deconvolutions_must_end_at_stride_4() -> None:
    with pytest.raises(models.ModelError, match=r"2 deconvolutions bring stride 32 of resnet10t to 8, not to 4"):
        TimmHeatmap("resnet10t", points=2, deconvolutions=(8, 8), out_indices=(4,))


def test_backbone_without_map_of_stride_4_is_refused() -> None:
    with pytest.raises(models.ModelError, match=r"resnet10t gives no map of stride 4 or more \(it has \[2\]\)"):
        TimmHeatmap("resnet10t", points=2, out_indices=(0,))


def test_backbone_without_feature_maps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("features_only not implemented\nand more")

    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(models.ModelError, match=r"gives no feature maps.*: features_only not implemented$") as error:
        models.create("timm:resnet18")
    assert "\n" not in str(error.value)
