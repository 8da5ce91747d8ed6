"""SimCC's head: from the maps of a backbone to one distribution per axis of each landmark."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nmebench.models.heatmap_head import resize

__all__ = ["SimccHead"]


class SimccHead(nn.Module):
    """SimCC's head: one small map per landmark, flattened, and a linear layer to the bins of each axis.

    The backbone's maps are projected to ``width`` channels and summed at the finest one's size; a 3x3 convolution of
    stride 2 and a 1x1 give K maps, which are resized to ``grid`` if the input has another size than the head was
    made for. The bins therefore divide the input into the same number of parts at every input size.

    Source: mmpose 1.x ``heads/coord_cls_heads/simcc_head.py`` (``final_layer``, ``mlp_head_x``, ``mlp_head_y``), which
    reads the backbone's last map only.
    """

    def __init__(
        self, channels: Sequence[int], points: int, *, width: int, grid: tuple[int, int], bins: tuple[int, int]
    ) -> None:
        """Create the head with random weights.

        Args:
            channels: channels of each map, finest first.
            points: number of landmarks K.
            width: channels of the hidden maps.
            grid: (width, height) of the flattened maps, px.
            bins: number of bins of the x axis and of the y axis.
        """
        super().__init__()
        self.grid = grid
        self.laterals = nn.ModuleList(nn.Conv2d(c, width, 1, bias=False) for c in channels)
        self.fused = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.mix = nn.Sequential(
            nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.final_layer = nn.Conv2d(width, points, 1)
        self.x = nn.Linear(grid[0] * grid[1], bins[0])
        self.y = nn.Linear(grid[0] * grid[1], bins[1])

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """``[N, c_i, h_i, w_i]``, finest first -> logits ``[N, K, bins of x]`` and ``[N, K, bins of y]``."""
        height, width = maps[0].shape[-2:]
        first, *others = (lateral(level) for lateral, level in zip(self.laterals, maps, strict=True))
        total: Tensor = first
        for coarser in others:
            total = total + resize(coarser, (height, width))
        small = resize(self.final_layer(self.mix(self.fused(total))), (self.grid[1], self.grid[0]))
        flat = torch.flatten(small, 2)
        return self.x(flat), self.y(flat)
