"""Coordinates straight from a pooled feature vector (DeepPose)."""

from __future__ import annotations

from typing import Any, Literal

import timm
import torch
from torch import Tensor, nn

from nmebench.models.errors import ModelError
from nmebench.models.naming import Naming

__all__ = ["Regression", "regression"]


class Regression(nn.Module):
    """A backbone, global average pool and one linear layer to landmarks ``[N, K, 2]`` in input px.

    The published networks answer fractions of the input (x / W, y / H); they are multiplied by the input's
    size here.
    Source: mmpose 0.x ``heads/deeppose_regression_head.py``, 1.x ``regression_heads/regression_head.py``.
    """

    reads = "images"
    namings = (
        Naming("mmpose 1.x", ()),
        Naming("mmpose 0.x", (("keypoint_head.fc.", "head.fc."),)),
        Naming("mmpose 0.x", (("keypoint_head.fcs.0.", "head.fc."),)),
    )

    def __init__(self, *, points: int, backbone: str, unit: Literal["crop-fraction", "input-px"]) -> None:
        """With random weights; ``unit`` is what the linear layer gives."""
        super().__init__()
        if unit not in ("crop-fraction", "input-px"):
            raise ModelError(f"unit {unit!r} is unknown; 'crop-fraction' or 'input-px' is allowed")
        if not timm.is_model(backbone):
            raise ModelError(f"timm has no backbone {backbone!r}")
        self.unit = unit
        # num_classes=0 leaves the pooled features; the pool and the classifier hold no parameters.
        features: Any = timm.create_model(backbone, pretrained=False, num_classes=0)
        self.backbone = features
        pooled: int = getattr(features, "head_hidden_size", features.num_features)
        self.head = nn.ModuleDict({"fc": nn.Linear(pooled, points * 2)})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` -> ``{"landmarks": [N, K, 2]}``, (x, y) in input px."""
        landmarks = self.head["fc"](self.backbone(images)).unflatten(1, (-1, 2))
        if self.unit == "crop-fraction":
            height, width = images.shape[-2:]
            landmarks = landmarks * torch.tensor([width, height], dtype=landmarks.dtype, device=landmarks.device)
        return {"landmarks": landmarks}


def regression(
    *,
    points: int = 98,
    backbone: str = "resnet50",
    unit: Literal["crop-fraction", "input-px"] = "crop-fraction",
) -> Regression:
    """DeepPose on a timm backbone; ``unit`` is what the linear layer was trained to give."""
    return Regression(points=points, backbone=backbone, unit=unit)
