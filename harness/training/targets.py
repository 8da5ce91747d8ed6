"""Unbiased Gaussian targets and the loss against them."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["gaussians", "heatmap_loss"]

# exp(-40) is 4e-18: the product of two such factors is still a normal float32. Denormals cost 100 times the time.
_LEAST = -40.0


def gaussians(landmarks: Tensor, *, size: tuple[int, int], sigma: float) -> tuple[Tensor, Tensor]:
    """Draw a Gaussian with peak value 1 at each landmark's exact position, not at the nearest pixel.

    The *unbiased encoding* of DARK (Zhang et al., CVPR 2020, section 3.2), as mmpose's ``unbiased=True``: the
    complete map is filled. A landmark that is not finite, or whose 3-sigma window misses the map, has weight 0.

    Args:
        landmarks: ``[N, K, 2]`` (x, y), heatmap px.
        size: (width, height) of the maps.
        sigma: standard deviation, heatmap px.

    Returns:
        targets ``[N, K, height, width]`` float32 (channels-last in memory, as the networks' outputs are), and
        weights ``[N, K]`` float32, 0 or 1.
    """
    width, height = size
    landmarks = landmarks.to(torch.float32)
    reach = 3 * sigma
    extent = landmarks.new_tensor([width - 1, height - 1])
    seen = ((landmarks >= -reach) & (landmarks <= extent + reach)).all(dim=-1)
    # A landmark that isn't finite compares false above and must not reach the exponential.
    placed = torch.where(seen[..., None], landmarks, torch.zeros_like(landmarks))
    across = _profile(placed[..., 0], width, sigma)  # [N, width, K]
    down = _profile(placed[..., 1], height, sigma)  # [N, height, K]
    maps = down[:, :, None, :] * across[:, None, :, :]
    return maps.permute(0, 3, 1, 2), seen.to(torch.float32)


def heatmap_loss(heatmaps: Tensor, targets: Tensor, weights: Tensor, *, foreground: float = 0.0) -> Tensor:
    """Mean over all pixels of ``weight * (1 + foreground * target) * (heatmap - target)^2``, a scalar.

    With ``foreground = 0`` it is mmpose's ``KeypointMSELoss`` (``JointsMSELoss`` in 0.x) with target weights.
    """
    difference = (heatmaps - targets) * weights[..., None, None]
    if foreground:
        return torch.addcmul(difference, difference, targets, value=foreground).mul(difference).mean()
    return difference.square().mean()


def _profile(positions: Tensor, length: int, sigma: float) -> Tensor:
    """``exp(-(i - position)^2 / (2 sigma^2))`` for i = 0 .. length - 1; ``[N, K]`` to ``[N, length, K]``."""
    grid = torch.arange(length, dtype=torch.float32, device=positions.device)
    exponent = (grid[None, :, None] - positions[:, None, :]).square().mul(-0.5 / sigma**2)
    return exponent.clamp(min=_LEAST).exp()
