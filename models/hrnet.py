"""HRNetV2-W18 as mmpose 0.x, mmpose 1.x and the official face code define it, on timm's backbone."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn

from nmebench.models.errors import ModelError
from nmebench.models.heatmap_head import ConcatHead
from nmebench.models.naming import Naming
from nmebench.models.quick_timm import timm

__all__ = ["HRNetV2", "bilinear_fusion"]


def bilinear_fusion(backbone: nn.Module, mode: Literal["bilinear", "nearest"] = "bilinear") -> int:
    """Set the upsampling mode between an HRNet's branches and return the number of layers that were set.

    timm fuses the branches with nearest-neighbour upsampling. mmpose's and the official face networks were trained with
    bilinear upsampling (``align_corners=False``): with the same weights, nearest gives other heatmaps.
    """
    layers = [m for m in backbone.modules() if isinstance(m, nn.Upsample)]
    for layer in layers:
        layer.mode = mode
        layer.align_corners = None if mode == "nearest" else False
    return len(layers)


class HRNetV2(nn.Module):
    """HRNetV2-W18, four maps fused at stride 4, exactly as in mmpose and the official code.

    The network reads RGB images normalised with ImageNet's mean and std. Its parameters are named as in mmpose 1.x.

    Source: Sun et al., High-Resolution Representations for Labeling Pixels and Regions, 2019
    """

    reads = "images"
    namings = (
        Naming("mmpose 1.x", ()),
        Naming(
            "mmpose 0.x",
            (
                ("keypoint_head.final_layer.0.", "head.conv_layers.0."),
                ("keypoint_head.final_layer.1.", "head.conv_layers.1."),
                ("keypoint_head.final_layer.3.", "head.final_layer."),
            ),
        ),
        Naming(
            "official HRNet",
            (
                ("head.0.", "head.conv_layers.0."),
                ("head.1.", "head.conv_layers.1."),
                ("head.3.", "head.final_layer."),
                ("", "backbone."),
            ),
        ),
    )

    def __init__(self, *, points: int = 98, fusion: Literal["bilinear", "nearest"] = "bilinear") -> None:
        """Create the network with random weights.

        Args:
            points: number of landmarks K.
            fusion: upsampling mode between the branches. ``nearest`` is timm's and matches no published checkpoint.

        Raises:
            ModelError: ``fusion`` is unknown.
        """
        super().__init__()
        if fusion not in ("bilinear", "nearest"):
            raise ModelError(f"fusion {fusion!r} is unknown; 'bilinear' (as trained) or 'nearest' (timm's) is allowed")
        backbone: Any = timm.create_model(
            "hrnet_w18", pretrained=False, features_only=True, feature_location="", out_indices=(1, 2, 3, 4)
        )
        bilinear_fusion(backbone, fusion)
        self.backbone = backbone
        self.head = ConcatHead(backbone.feature_info.channels(), points)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` -> ``{"heatmaps": [N, K, H/4, W/4]}``."""
        return {"heatmaps": self.head(self.backbone(images))}
