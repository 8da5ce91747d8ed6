"""Heatmaps with offset maps on a timm backbone: the peak, and the step from each pixel to the landmark."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from nmebench.models.errors import ModelError
from nmebench.models.timm_heatmap import TimmHeatmap

__all__ = ["TimmOffset", "mobilenetv3"]


class TimmOffset(TimmHeatmap):
    """A heatmap network with three maps for each landmark: label, x offset, y offset.

    ``[N, 3, H, W]`` (normalised as the card specifies) -> ``{"heatmaps": [N, K, H/4, W/4],
    "offsets": [N, K, 2, H/4, W/4]}``.
    The three maps of a landmark are consecutive channels of the last layer, as in mmpose's combined UDP target. The
    last layer outputs offsets in units of ``radius``; the module converts them to heatmap px.

    Raises:
        ModelError: a radius that is not a positive number.
    """

    outputs: ClassVar[tuple[str, ...]] = ("heatmaps", "offsets")

    def __init__(
        self, backbone: str, *, points: int = 98, width: int = 64, radius: float = 3.5, **options: Any
    ) -> None:
        """Create the network with random weights.

        Args:
            backbone: name of a timm network.
            points: number of landmarks K.
            width: channels of the head.
            radius: unit of the last layer's offsets, heatmap px.
            **options: passed to ``timm.create_model``.
        """
        if points < 1:
            raise ModelError(f"points={points} must be at least 1")
        if not (math.isfinite(radius) and radius > 0):
            raise ModelError(f"radius={radius} must be a positive number of heatmap px")
        super().__init__(backbone, points=3 * points, width=width, **options)
        self.radius = float(radius)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` -> heatmaps ``[N, K, H/4, W/4]`` and offsets ``[N, K, 2, H/4, W/4]``."""
        maps = torch.unflatten(super().forward(images)["heatmaps"], 1, (-1, 3))
        return {"heatmaps": maps[:, :, 0], "offsets": maps[:, :, 1:] * self.radius}


def mobilenetv3(*, points: int = 98, width: int = 64, radius: float = 3.5) -> TimmOffset:
    """timm's mobilenetv3_small_100 with two offset maps for each heatmap, at stride 4.

    Source: Huang et al., The Devil is in the Details (UDP), 2020, section 4; timm
    """
    return TimmOffset("mobilenetv3_small_100", points=points, width=width, radius=radius)
