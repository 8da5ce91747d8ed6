"""One heatmap for each landmark: an unbiased Gaussian of peak 1, on any of the grids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from nmebench.models.card import Output
from nmebench.protocol import Grid
from nmebench.training.encodings.interface import Encoder, on_grid
from nmebench.training.targets import gaussians, heatmap_loss

__all__ = ["GaussianMaps"]


@dataclass(frozen=True)
class GaussianMaps(Encoder):
    """Gaussians with standard deviation ``sigma`` heatmap px; foreground-weighted mean squared error."""

    needs: ClassVar = ("heatmaps",)

    grid: Grid
    sigma: float
    foreground: float

    def loss(self, outputs: Mapping[str, Tensor], landmarks: Tensor, *, size: int) -> Tensor:
        """Return :func:`nmebench.training.targets.heatmap_loss`."""
        heatmaps = outputs["heatmaps"]
        height, width = heatmaps.shape[-2:]
        points = on_grid(landmarks, grid=self.grid, maps=(width, height), size=size, device=heatmaps.device)
        targets, weights = gaussians(points, size=(width, height), sigma=self.sigma)
        return heatmap_loss(heatmaps.float(), targets, weights, foreground=self.foreground)

    def decoder(self, size: int) -> str:  # noqa: ARG002
        """Return DARK, in the variant of the grid."""
        return "dark-udp" if self.grid == "udp" else "dark"

    def output(self) -> Output:
        """Return heatmaps, with the grid unless it is the default."""
        return Output(grid=None if self.grid == "stride" else self.grid)
