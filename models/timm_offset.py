"""Heatmaps with offset maps on a timm backbone: where the peak is, and from each pixel the step to the landmark."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from models.errors import ModelError
from models.timm_heatmap import TimmHeatmap

__all__ = ["TimmOffset", "mobilenetv3"]


class TimmOffset(TimmHeatmap):
    """A heatmap network with three maps for each landmark: label, x offset, y offset.

    ``[N, 3, H, W]`` (normalised as the card says) -> ``{"heatmaps": [N, K, H/4, W/4],
    "offsets": [N, K, 2, H/4, W/4]}``.
    The maps of a landmark follow each other in the last layer, as in mmpose's combined UDP target.
    """

    outputs: ClassVar[tuple[str, ...]] = ("heatmaps", "offsets")

    def __init__(self, backbone: str, *, points: int = 98, width: int = 64, **backbone_options: Any) -> None:
        """With random weights; ``width`` is the head's, ``backbone_options`` are timm's."""
        if points < 1:
            raise ModelError(f"points={points} must be at least 1")
        super().__init__(backbone, points=3 * points, width=width, **backbone_options)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` -> label maps and offset maps."""
        stacked = super().forward(images)["heatmaps"]
        maps = stacked.view(len(stacked), -1, 3, *stacked.shape[-2:])
        return {"heatmaps": maps[:, :, 0], "offsets": maps[:, :, 1:]}


def mobilenetv3(*, points: int = 98, width: int = 64) -> TimmOffset:
    """MobileNetV3-small with label and offset maps at stride 4."""
    return TimmOffset("mobilenetv3_small_100", points=points, width=width)
