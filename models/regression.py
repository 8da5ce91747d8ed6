"""A network that regresses landmark coordinates from a pooled feature vector (DeepPose)."""

from __future__ import annotations

from typing import Any, Literal

import timm
import torch
from torch import Tensor, nn

from nmebench.models.errors import ModelError
from nmebench.models.naming import Naming

__all__ = ["Regression"]


class Regression(nn.Module):
    """A timm backbone, global average pooling and one linear layer to coordinates.

    The published networks give fractions of the input (x / W, y / H). The forward pass multiplies them by the input's
    size.

    Source: Toshev and Szegedy, DeepPose, 2014; mmpose 0.x ``heads/deeppose_regression_head.py``, 1.x
    ``regression_heads/regression_head.py``
    """

    reads = "images"
    namings = (
        Naming("mmpose 1.x", ()),
        Naming("mmpose 0.x", (("keypoint_head.fc.", "head.fc."),)),
        Naming("mmpose 0.x", (("keypoint_head.fcs.0.", "head.fc."),)),
    )

    def __init__(
        self,
        *,
        points: int = 98,
        backbone: str = "resnet50",
        unit: Literal["crop-fraction", "input-px"] = "crop-fraction",
    ) -> None:
        """Create the network with random weights.

        Args:
            points: number of landmarks K.
            backbone: name of a timm network.
            unit: unit of the linear layer's outputs, as it was trained.

        Raises:
            ModelError: the unit or the backbone is unknown.
        """
        super().__init__()
        if unit not in ("crop-fraction", "input-px"):
            raise ModelError(f"unit {unit!r} is unknown; 'crop-fraction' or 'input-px' is allowed")
        if not timm.is_model(backbone):
            raise ModelError(f"timm has no backbone {backbone!r}")
        self.unit = unit
        # num_classes=0 removes the classifier and keeps the pooled features.
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
