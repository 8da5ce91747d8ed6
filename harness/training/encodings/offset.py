"""UDP's combined target: for each landmark a disc, and in the disc the step from each pixel to the landmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nmebench.models.card import Output
from nmebench.protocol import Grid
from nmebench.training.encodings.interface import Encoder, on_grid

__all__ = ["OffsetMaps", "combined", "combined_loss"]


@dataclass(frozen=True)
class OffsetMaps(Encoder):
    """A disc of ``radius`` heatmap px and two offset maps.

    The network outputs the offsets in heatmap px; the loss reads them in units of ``radius``.

    mmpose takes ``0.0546875 * max(width, height)``, 3.5 px for 64x64 maps. Here the radius is in heatmap px at every
    input size, as the sigma of the Gaussian maps is, so that a fully convolutional network learns one function.
    Source: Huang et al., CVPR 2020, arXiv 1911.07524, section 4; mmpose 1.x ``mmpose/codecs/udp_heatmap.py``,
    ``mmpose/codecs/utils/offset_heatmap.py`` and ``mmpose/models/losses/heatmap_loss.py`` (in 0.x
    ``CombinedTargetMSELoss``).
    """

    needs: ClassVar = ("heatmaps", "offsets")

    grid: Grid
    radius: float
    foreground: float

    def loss(self, outputs: Mapping[str, Tensor], landmarks: Tensor, *, size: int) -> Tensor:
        """Return :func:`combined_loss`."""
        heatmaps, offsets = outputs["heatmaps"], outputs["offsets"]
        height, width = heatmaps.shape[-2:]
        points = on_grid(landmarks, grid=self.grid, maps=(width, height), size=size, device=heatmaps.device)
        discs, steps, weights = combined(points, size=(width, height), radius=self.radius)
        return combined_loss(
            heatmaps.float(), offsets.float() / self.radius, discs, steps, weights, foreground=self.foreground
        )

    def decoder(self, size: int) -> str:  # noqa: ARG002
        """Return the decoder that adds the offset at the maximum."""
        return "heatmap-offset"

    def output(self) -> Output:
        """Return heatmaps (with offsets), with the grid unless it is the default."""
        return Output(grid=None if self.grid == "stride" else self.grid)


def combined(landmarks: Tensor, *, size: tuple[int, int], radius: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the targets of the label maps and of the offset maps.

    Args:
        landmarks: ``[N, K, 2]`` (x, y), heatmap px.
        size: (width, height) of the maps.
        radius: of the disc, heatmap px.

    Returns:
        discs ``[N, K, height, width]`` float32: 1 where a pixel is at most ``radius`` from the landmark, else 0;
        offsets ``[N, K, 2, height, width]`` float32: the step (x, y) from the pixel to the landmark, in radii; and
        weights ``[N, K]`` float32, 1 where a pixel of the map is in the disc, else 0 (a landmark off the map, or one
        that is not finite).
    """
    width, height = size
    landmarks = landmarks.to(torch.float32)
    finite = torch.isfinite(landmarks).all(dim=-1)
    placed = torch.where(finite[..., None], landmarks, landmarks.new_full((), -1e4))
    columns = torch.arange(width, dtype=torch.float32, device=landmarks.device)
    rows = torch.arange(height, dtype=torch.float32, device=landmarks.device)
    across = (placed[..., 0, None] - columns) / radius  # [N, K, width]
    down = (placed[..., 1, None] - rows) / radius  # [N, K, height]
    discs = (across.square()[..., None, :] + down.square()[..., :, None] <= 1).to(torch.float32)
    shape = (*landmarks.shape[:2], height, width)
    offsets = torch.stack([across[..., None, :].expand(shape), down[..., :, None].expand(shape)], dim=2)
    return discs, offsets, discs.flatten(2).amax(dim=-1)


def combined_loss(
    heatmaps: Tensor,
    offsets: Tensor,
    discs: Tensor,
    steps: Tensor,
    weights: Tensor,
    *,
    foreground: float = 0.0,
) -> Tensor:
    """Return half the mean over all pixels of the squared errors of label, x and y, a scalar.

    The offsets count in the disc only. Each pixel is weighted by ``weight * (1 + foreground * disc)``; with
    ``foreground = 0`` it is mmpose's ``CombinedTargetMSELoss`` with target weights.

    Args:
        heatmaps: ``[N, K, H, W]``, the network's.
        offsets: ``[N, K, 2, H, W]``, the network's, in radii.
        discs: ``[N, K, H, W]``, from :func:`combined`, like the next two.
        steps: ``[N, K, 2, H, W]``.
        weights: ``[N, K]``.
        foreground: the additional weight of the disc's pixels.
    """
    label = (heatmaps - discs).square()
    step = ((offsets - steps) * discs[:, :, None]).square().sum(dim=2)
    return 0.5 * ((label + step) * (1 + foreground * discs) * weights[..., None, None]).mean()
