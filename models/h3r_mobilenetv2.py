"""H3R's MobileNetV2: a slim backbone whose head gives two logits per landmark and pixel, "here" and "not here"."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nmebench.models.errors import ModelError
from nmebench.models.heatmap_head import resize
from nmebench.models.naming import Naming

__all__ = ["H3RMobileNetV2"]

STAGES = (
    # expansion, channels, blocks, stride of the first block
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
)
"""MobileNetV2 at width 1 without its last two stages (Sandler et al., 2018, table 2)."""

FUSED = (3, 6, 13)
"""Layers whose maps the head reads: 24 channels at stride 4, 32 at stride 8, 96 at stride 16."""


class Block(nn.Module):
    """An inverted residual: a 1x1 convolution that widens, a depthwise 3x3, and a 1x1 that narrows."""

    def __init__(self, channels: int, out: int, *, expansion: int, stride: int) -> None:
        """Create the block; an ``expansion`` of 1 leaves out the first convolution."""
        super().__init__()
        wide = channels * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += _convolution(channels, wide, 1)
        layers += [*_convolution(wide, wide, 3, stride=stride, groups=wide), *_convolution(wide, out, 1)[:-1]]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and channels == out

    def forward(self, maps: Tensor) -> Tensor:
        """``[N, C, h, w]`` -> ``[N, out, h / stride, w / stride]``."""
        found: Tensor = self.conv(maps)
        return maps + found if self.residual else found


def _convolution(channels: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias, its BatchNorm and ReLU6."""
    layer = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(out), nn.ReLU6(inplace=True)]


class Backbone(nn.Module):
    """The stem and 13 blocks of MobileNetV2; gives the maps of :data:`FUSED`."""

    def __init__(self) -> None:
        """Create the layers, numbered without a gap as ``features``."""
        super().__init__()
        self.features = nn.ModuleList([nn.Sequential(*_convolution(3, 32, 3, stride=2))])
        channels = 32
        for expansion, out, blocks, stride in STAGES:
            for number in range(blocks):
                block = Block(channels, out, expansion=expansion, stride=stride if number == 0 else 1)
                self.features.append(block)
                channels = out

    def forward(self, images: Tensor) -> list[Tensor]:
        """``[N, 3, H, W]`` -> maps at strides 4, 8 and 16."""
        maps, kept = images, []
        for number, layer in enumerate(self.features):
            maps = layer(maps)
            if number in FUSED:
                kept.append(maps)
        return kept


class H3RMobileNetV2(nn.Module):
    """H3R's MobileNetV2: heatmaps as probabilities, and the logits that H3R's own decoder reads, at stride 4.

    Per landmark and pixel the head gives two logits, "not here" and "the landmark's pixel is here". ``heatmaps`` is the
    softmax over the two, a probability per pixel; its values are above 0 and far below 1 (a median peak of 0.2), and
    nearly sum to 1 over a map. ``logits`` is the second channel, raw; almost all of its values are negative. The
    decoder ``top-k-logits`` reads the logits, as the authors do; all others read the heatmaps. DARK and the parabola
    take the logarithm of a heatmap, which logits don't have.

    The parameters are those of the authors' checkpoints. Sides of the input should be multiples of 16.

    Source: Yu and Tao, Heatmap Regression via Randomized Rounding, TPAMI 2021, arXiv 2009.00225; the backbone: Sandler
    et al., MobileNetV2, CVPR 2018
    """

    reads = "images"
    outputs = ("heatmaps", "logits")
    namings = (Naming("H3R", (("heatmap_head.head.layers.", "head."),)),)

    def __init__(self, *, points: int = 98) -> None:
        """Create the network with random weights.

        Args:
            points: number of landmarks K.

        Raises:
            ModelError: ``points`` is less than 1.
        """
        super().__init__()
        if points < 1:
            raise ModelError(f"points={points} must be at least 1")
        self.points = points
        self.backbone = Backbone()
        width = sum(out for _, out, _, _ in (STAGES[1], STAGES[2], STAGES[4]))
        self.head = nn.Sequential(
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 2 * points, 1, bias=False),
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` -> ``{"heatmaps": [N, K, H/4, W/4], "logits": [N, K, H/4, W/4]}``."""
        maps = self.backbone(images)
        size = (maps[0].shape[-2], maps[0].shape[-1])
        raw: Tensor = self.head(torch.cat([resize(kept, size) for kept in maps], dim=1))
        absent, present = raw[:, : self.points], raw[:, self.points :]
        # The softmax over two logits is the sigmoid of their difference.
        return {"heatmaps": torch.sigmoid(present - absent), "logits": present.contiguous()}
