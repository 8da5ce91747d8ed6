"""Heatmaps with offset maps on a timm backbone: where the peak is, and from each pixel the step to the landmark."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from models.errors import ModelError
from models.timm_heatmap import TimmHeatmap

__all__ = ["TimmOffset", "mobilenetv3"]


class TimmOffset(TimmHeatmap):
    """A heatmap network with three maps for each landmark: label, x offset, y offset.

    ``[N, 3, H, W]`` (normalised as the card says) -> ``{"heatmaps": [N, K, H/4, W/4],
    "offsets": [N, K, 2, H/4, W/4]}``.
    The maps of a landmark follow each other in the last layer, as in mmpose's combined UDP target. The last layer gives
    offsets in units of ``radius``, the module in heatmap px.

    Raises:
        ModelError: a radius that is not a positive number.
    """

    outputs: ClassVar[tuple[str, ...]] = ("heatmaps", "offsets")

    def __init__(
        self, backbone: str, *, points: int = 98, width: int = 64, radius: float = 3.5, **options: Any
    ) -> None:
        """With random weights; ``width`` is the head's, ``radius`` in heatmap px, ``options`` are timm's."""
        if points < 1:
            raise ModelError(f"points={points} must be at least 1")
        if not (math.isfinite(radius) and radius > 0):
            raise ModelError(f"radius={radius} must be a positive number of heatmap px")
        super().__init__(backbone, points=3 * points, width=width, **options)
        self.radius = float(radius)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` -> label maps and offset maps."""
        maps = torch.unflatten(super().forward(images)["heatmaps"], 1, (-1, 3))
        return {"heatmaps": maps[:, :, 0], "offsets": maps[:, :, 1:] * self.radius}


def mobilenetv3(*, points: int = 98, width: int = 64, radius: float = 3.5) -> TimmOffset:
    """MobileNetV3-small with label and offset maps at stride 4."""
    return TimmOffset("mobilenetv3_small_100", points=points, width=width, radius=radius)
