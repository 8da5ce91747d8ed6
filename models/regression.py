"""A network that regresses landmark coordinates from a pooled feature vector (DeepPose)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from nmebench.models.card_output import UNITS, Layout, Unit
from nmebench.models.errors import ModelError
from nmebench.models.landmark_layout import from_layout, to_input_px
from nmebench.models.naming import Naming
from nmebench.models.quick_timm import timm
from nmebench.protocol import GRIDS, Grid
from nmebench.suggest import unknown

__all__ = ["Regression"]

_LAYOUTS = ("xy", "yx", "xs-ys")


class Regression(nn.Module):
    """A timm backbone, global average pooling and one linear layer to coordinates.

    The published networks give fractions of the input (x / W, y / H). The forward pass converts them to input px.

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
        unit: Unit = "crop-fraction",
        layout: Layout = "xy",
        grid: Grid = "stride",
    ) -> None:
        """Create the network with random weights.

        Args:
            points: number of landmarks K.
            backbone: name of a timm network.
            unit: unit of the linear layer's outputs, as it was trained.
            layout: order of the linear layer's outputs: ``xy``, ``yx`` or ``xs-ys``.
            grid: map from fractions to input px, see :func:`nmebench.models.landmark_layout.to_input_px`.

        Raises:
            ModelError: the unit, the layout, the grid or the backbone is unknown.
        """
        super().__init__()
        for what, value, allowed in (("unit", unit, UNITS), ("layout", layout, _LAYOUTS), ("grid", grid, GRIDS)):
            if value not in allowed:
                raise ModelError(unknown(what, value, allowed))
        if not timm.is_model(backbone):
            raise ModelError(f"timm has no backbone {backbone!r}")
        self.unit, self.layout, self.grid = unit, layout, grid
        # num_classes=0 removes the classifier and keeps the pooled features.
        features: Any = timm.create_model(backbone, pretrained=False, num_classes=0)
        self.backbone = features
        pooled: int = getattr(features, "head_hidden_size", features.num_features)
        self.head = nn.ModuleDict({"fc": nn.Linear(pooled, points * 2)})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` -> ``{"landmarks": [N, K, 2]}``, (x, y) in input px."""
        landmarks = from_layout(self.head["fc"](self.backbone(images)), self.layout, "regression")
        return {"landmarks": to_input_px(landmarks, self.unit, self.grid, size=(images.shape[-1], images.shape[-2]))}
