"""SimCC on a timm backbone: one distribution over the input's width and one over its height per landmark."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nmebench.models.errors import ModelError
from nmebench.models.simcc_head import SimccHead
from nmebench.models.timm_heatmap import feature_extractor

__all__ = ["TimmSimcc", "mobilenetv3"]

STRIDES = (16, 32)
"""Strides of the backbone's maps that the head reads, input px per map px."""


class TimmSimcc(nn.Module):
    """A timm backbone and the SimCC head.

    ``[N, 3, H, W]`` (normalised as the card specifies) -> ``{"simcc_x": [N, K, Lx], "simcc_y": [N, K, Ly]}`` with
    ``split`` bins per px of an input of ``input_size``: bin ``i`` is at ``i / split`` input px. In eval mode the
    outputs are distributions (softmax: each sums to 1), in training mode the logits of these.

    Raises:
        ModelError: an input size that isn't a multiple of 32, or a backbone without maps of strides 16 and 32.
    """

    reads = "images"
    outputs: ClassVar[tuple[str, ...]] = ("simcc_x", "simcc_y")

    def __init__(
        self,
        backbone: str,
        *,
        points: int = 98,
        width: int = 64,
        input_size: tuple[int, int] = (256, 256),
        split: float = 2.0,
        **backbone_options: Any,
    ) -> None:
        """Create the network with random weights.

        Args:
            backbone: name of a timm network.
            points: number of landmarks K.
            width: channels of the head's hidden maps.
            input_size: (width, height), input px.
            split: bins per px of that input.
            **backbone_options: passed to ``timm.create_model``.
        """
        super().__init__()
        if points < 1 or width < 1:
            raise ModelError(f"points={points} and width={width} must be at least 1")
        if any(side < 32 or side % 32 for side in input_size):
            raise ModelError(f"input_size={list(input_size)}: each side must be a multiple of 32")
        bins = (round(input_size[0] * split), round(input_size[1] * split))
        if min(bins) < 2:
            raise ModelError(f"split={split} leaves {list(bins)} bins: it must be larger")
        self.backbone = feature_extractor(backbone, **backbone_options)
        strides = self.backbone.feature_info.reduction()
        if not set(STRIDES) <= set(strides):
            raise ModelError(f"{backbone} gives no maps of strides {list(STRIDES)} (it has {strides})")
        self._used_maps = tuple(strides.index(stride) for stride in STRIDES)
        channels = self.backbone.feature_info.channels()
        self.bins = bins
        self.head = SimccHead(
            [channels[i] for i in self._used_maps],
            points,
            width=width,
            grid=(input_size[0] // 32, input_size[1] // 32),
            bins=bins,
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` -> distributions of x and y; logits in training mode."""
        maps = self.backbone(images)
        x, y = self.head([maps[i] for i in self._used_maps])
        if not self.training:
            x, y = torch.softmax(x, dim=-1), torch.softmax(y, dim=-1)
        return {"simcc_x": x, "simcc_y": y}


def mobilenetv3(*, points: int = 98, width: int = 56, input_size: int = 256, split: float = 2.0) -> TimmSimcc:
    """timm's mobilenetv3_small_100 with SimCC's head, for square inputs of ``input_size`` px.

    Source: Li et al., SimCC, 2022; mmpose 1.x simcc_head.py; timm
    """
    return TimmSimcc(
        "mobilenetv3_small_100", points=points, width=width, input_size=(input_size, input_size), split=split
    )
