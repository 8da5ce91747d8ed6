"""The shared first steps of every heatmap decoder: the maximum of each map, and the window round a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["Peaks", "find_peaks", "windows"]


@dataclass(frozen=True)
class Peaks:
    """The integer maximum of ``M`` maps; of equal maxima the first in row order, as ``numpy.argmax`` has it."""

    x: Tensor
    """``[M]`` int64, heatmap px."""
    y: Tensor
    """``[M]`` int64, heatmap px."""
    score: Tensor
    """``[M]`` float32, the map's value there; NaN where the map holds one."""

    @property
    def valid(self) -> Tensor:
        """``[M]`` bool: the map holds a landmark, its maximum being finite and above 0."""
        return (self.score > 0) & torch.isfinite(self.score)

    @property
    def xy(self) -> Tensor:
        """``[M, 2]`` float32, heatmap px."""
        return torch.stack((self.x, self.y), dim=-1).to(torch.float32)


def find_peaks(maps: Tensor) -> Peaks:
    """Maximum of each map.

    Args:
        maps: ``[M, H, W]`` float32, contiguous, any device.

    A NaN counts as the largest value, so that a map which holds one is seen to.
    """
    count, _, width = maps.shape
    flat = maps.reshape(count, -1)
    # On a CPU numpy's argmax is vectorised and reads the memory once; torch's takes 5 times as long.
    on_cpu = flat.device.type == "cpu"
    index = torch.from_numpy(flat.numpy().argmax(axis=1)) if on_cpu else flat.argmax(dim=1)
    score = flat.gather(1, index[:, None])[:, 0]
    row = torch.div(index, width, rounding_mode="floor")
    return Peaks(x=index - row * width, y=row, score=score)


def windows(maps: Tensor, x: Tensor, y: Tensor, radius: int) -> Tensor:
    """The square window round one pixel of each map, zeros outside the map.

    Args:
        maps: ``[M, H, W]``, contiguous.
        x: ``[M]`` int64 column of each window's centre, inside the map.
        y: ``[M]`` int64 row of each window's centre, inside the map.
        radius: pixels on either side of the centre.

    Returns:
        ``[M, D, D]`` with ``D = 2 * radius + 1``, a copy.
    """
    side = 2 * radius + 1
    if maps.shape[1] < side or maps.shape[2] < side:
        return _select(pad(maps, (radius,) * 4), x, y, side)
    left = (x - radius).clamp(0, maps.shape[2] - side)
    top = (y - radius).clamp(0, maps.shape[1] - side)
    found = _select(maps, left, top, side)
    moved = ((left + radius != x) | (top + radius != y)).nonzero()[:, 0]
    if moved.numel():
        # These reach over the edge: the window that was moved inwards, with zeros round it, holds the right one.
        wide = pad(found[moved], (radius,) * 4)
        found[moved] = _select(wide, x[moved] - left[moved], y[moved] - top[moved], side)
    return found


def _select(maps: Tensor, left: Tensor, top: Tensor, side: int) -> Tensor:
    """The ``side`` x ``side`` windows of contiguous maps at the given corners, inside the maps."""
    count, height, width = maps.shape
    # Every window as a view; index_select then copies rows of pixels, 4 times as fast as gathering single ones.
    places = maps.numel() - (side - 1) * (width + 1)
    every = maps.as_strided((places, side, side), (1, width, 1))
    start = torch.arange(count, device=maps.device).mul_(height * width).add_(top * width).add_(left)
    return every.index_select(0, start)
