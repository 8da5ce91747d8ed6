"""The heatmap heads against their definitions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nmebench.models.heatmap_head import ConcatHead, HeatmapHead, resize


def _feature_maps() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, c, s, s, generator=generator) for c, s in ((3, 16), (5, 8), (7, 4))]


def test_sum_of_convolved_maps_equals_convolved_concatenation() -> None:
    """With a single resize to stride 4 both are the same function, as the head's docstring states."""
    torch.manual_seed(0)
    head = HeatmapHead([3, 5], 4, width=6)
    maps = _feature_maps()[:2]
    stacked = torch.cat([maps[0], resize(maps[1], (16, 16))], dim=1)
    weight = torch.cat([lateral.weight for lateral in head.laterals if isinstance(lateral, nn.Conv2d)], dim=1)
    expected = head.eval().final_layer(head.mix(head.fused(F.conv2d(stacked, weight))))
    assert torch.allclose(head(maps, (16, 16)), expected, atol=1e-6)


def test_concat_head_equals_its_definition() -> None:
    torch.manual_seed(0)
    head = ConcatHead([3, 5, 7], 4).eval()
    maps = _feature_maps()
    stacked = torch.cat([F.interpolate(m, (16, 16), mode="bilinear", align_corners=False) for m in maps], dim=1)
    weight, bias = head.state_dict()["conv_layers.0.weight"], head.state_dict()["conv_layers.0.bias"]
    hidden = torch.einsum("oc,nchw->nohw", weight[:, :, 0, 0], stacked) + bias[:, None, None]
    hidden = (hidden / (1 + 1e-5) ** 0.5).clamp(min=0)  # BatchNorm with its initial parameters, then ReLU
    expected = torch.einsum("oc,nchw->nohw", head.final_layer.weight[:, :, 0, 0], hidden)
    assert torch.allclose(head(maps), expected, atol=1e-6)
