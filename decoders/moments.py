"""Sums over complete maps: the mass and the first moments, in chunks of maps that fit in the CPU's cache."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["moments"]

CHUNK_BYTES = 1 << 20
"""Bytes of float32 maps per chunk on a CPU; about half of one core's second-level cache."""


def moments(maps: Tensor, weigh: Callable[[Tensor, slice, Tensor], Tensor] | None = None) -> Tensor:
    """Sum the weights, the weights times x and the weights times y over each map.

    Args:
        maps: ``[M, H, W]`` float32, contiguous; also the weights if ``weigh`` is None.
        weigh: computes weights ``[m, H * W]`` from the pixels ``[m, H * W]`` of a chunk, the slice of maps in that
            chunk, and a scratch tensor of the same shape that it may overwrite.

    Returns:
        ``[M, 3]`` float64: mass, x moment, y moment, in heatmap px.

    Example:
        >>> import torch
        >>> maps = torch.zeros(1, 3, 4)
        >>> maps[0, 2, 3] = 0.5
        >>> moments(maps)
        tensor([[0.5000, 1.5000, 1.0000]], dtype=torch.float64)
    """
    count, height, width = maps.shape
    flat = maps.reshape(count, height * width)
    x = torch.arange(width, dtype=torch.float64, device=maps.device)
    y = torch.arange(height, dtype=torch.float64, device=maps.device)
    size = CHUNK_BYTES if maps.device.type == "cpu" else 1 << 28
    step = max(1, size // (height * width * 4))
    sums = torch.empty((count, 3), dtype=torch.float64, device=maps.device)
    scratch = torch.empty_like(flat[:step]) if weigh else flat
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        weights = weigh(flat[part], part, scratch[: part.stop - start]) if weigh else flat[part]
        # Sum rows and columns first: one long float32 sum would lose the small background weights beside the peak's.
        grid = weights.view(-1, height, width)
        rows, columns = grid.sum(dim=2).to(torch.float64), grid.sum(dim=1).to(torch.float64)
        sums[part] = torch.stack((rows.sum(dim=1), columns @ x, rows @ y), dim=-1)
    return sums
