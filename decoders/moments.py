"""Sums over whole maps: the mass and the first moments, a few maps at a time so that each is read from cache."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["moments"]

BYTES = 1 << 20
"""Bytes of float32 maps that are worked on at a time on a CPU; about half a core's second-level cache."""


def moments(maps: Tensor, weigh: Callable[[Tensor, slice, Tensor], Tensor] | None = None) -> Tensor:
    """Sum of weights, of weights times x and of weights times y, over each map.

    Args:
        maps: ``[M, H, W]`` float32, contiguous; the weights where ``weigh`` isn't given.
        weigh: from pixels ``[m, H * W]``, the slice of maps that they are, and a scratch tensor of that shape that it
            may write to, to weights ``[m, H * W]``.

    Returns:
        ``[M, 3]`` float64: mass, x moment, y moment, in heatmap px.
    """
    count, height, width = maps.shape
    flat = maps.reshape(count, height * width)
    x = torch.arange(width, dtype=torch.float64, device=maps.device)
    y = torch.arange(height, dtype=torch.float64, device=maps.device)
    size = BYTES if maps.device.type == "cpu" else 1 << 28
    step = max(1, size // (height * width * 4))
    sums = torch.empty((count, 3), dtype=torch.float64, device=maps.device)
    scratch = torch.empty_like(flat[:step]) if weigh else flat
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        weights = weigh(flat[part], part, scratch[: part.stop - start]) if weigh else flat[part]
        # Rows and columns first: one long float32 sum would lose the background's small weights after the peak's.
        grid = weights.view(-1, height, width)
        rows, columns = grid.sum(dim=2).to(torch.float64), grid.sum(dim=1).to(torch.float64)
        sums[part] = torch.stack((rows.sum(dim=1), columns @ x, rows @ y), dim=-1)
    return sums
