"""Heads that turn a backbone's feature maps into one heatmap per landmark at stride 4."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ConcatHead", "Deconvolutions", "HeatmapHead", "resize"]


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps bilinearly with half-pixel centres (``align_corners=False``).

    Args:
        maps: ``[N, C, h, w]``.
        size: height and width of the result in px.

    Returns:
        ``[N, C, *size]``; ``maps`` itself if it already has this size.
    """
    if tuple(maps.shape[-2:]) == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def _final_layer(channels: int, points: int) -> nn.Conv2d:
    """The 1x1 convolution to K heatmaps, initialised near zero: an untrained network gives almost empty maps."""
    layer = nn.Conv2d(channels, points, 1)
    nn.init.normal_(layer.weight, std=0.001)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ConcatHead(nn.Module):
    """HRNetV2's head: resize all maps to the largest, concatenate, and apply two 1x1 convolutions.

    The parameters are named as in mmpose 1.x (``conv_layers.{0,1}``, ``final_layer``).

    Source: mmpose ``topdown_heatmap_simple_head.py`` (``resize_concat``); HRNet-Facial-Landmark-Detection ``hrnet.py``
    """

    def __init__(self, channels: Sequence[int], points: int) -> None:
        """Create the head for maps with ``channels``, finest map first, and ``points`` landmarks."""
        super().__init__()
        width = sum(channels)
        self.conv_layers = nn.Sequential(nn.Conv2d(width, width, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.final_layer = _final_layer(width, points)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps ``[N, c_i, h_i, w_i]``, finest first -> heatmaps ``[N, K, h_0, w_0]``."""
        height, width = maps[0].shape[-2:]
        stacked = torch.cat([resize(m, (height, width)) for m in maps], dim=1)
        out: Tensor = self.final_layer(self.conv_layers(stacked))
        return out


class HeatmapHead(nn.Module):
    """The light head of the trained family: a 1x1 convolution per map, their sum at stride 4, a 3x3 and a 1x1.

    A 1x1 convolution and a bilinear resize commute, so the sum equals HRNetV2's concatenation followed by one
    convolution of ``width`` channels, but the concatenation at stride 4 is never held in memory. Each map is resized to
    the next finer one and added to it, so that the expensive resize to stride 4 happens once.

    The last layer is initialised near zero: an untrained network gives almost empty maps, and a Gaussian target is
    zero almost everywhere.
    """

    def __init__(self, channels: Sequence[int], points: int, *, width: int = 64) -> None:
        """Create the head for maps with ``channels``, finest map first, and ``points`` landmarks."""
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(c, width, 1, bias=False) for c in channels)
        self.fused = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.mix = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.final_layer = _final_layer(width, points)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Maps ``[N, c_i, h_i, w_i]``, finest first -> heatmaps ``[N, K, *size]``."""
        total: Tensor = self.laterals[-1](maps[-1])
        for lateral, finer in zip(reversed(self.laterals[:-1]), reversed(maps[:-1]), strict=True):
            step: Tensor = lateral(finer)
            height, width = step.shape[-2:]
            total = step + resize(total, (height, width))
        out: Tensor = self.final_layer(self.mix(self.fused(resize(total, size))))
        return out


class Deconvolutions(nn.Sequential):
    """SimpleBaseline's neck: 4x4 transposed convolutions of stride 2, each with BatchNorm and ReLU.

    Source: Xiao et al., Simple Baselines for Human Pose Estimation and Tracking, 2018, section 2 (there 3 x 256)
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        """Create one layer per width; each layer doubles the map's sides."""
        layers: list[nn.Module] = []
        for width in widths:
            layers += [
                nn.ConvTranspose2d(channels, width, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            channels = width
        super().__init__(*layers)
