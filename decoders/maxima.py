"""The shared first steps of every heatmap decoder: the maximum of each map, and the window round a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["Peaks", "find_peaks", "windows"]


CHUNK = 1 << 20
"""Bytes of maps whose maxima are sought at a time on a CPU, so that the windows are then read from its cache."""


@dataclass(frozen=True)
class Peaks:
    """The integer maximum of ``M`` maps; of equal maxima the first in row order, as ``numpy.argmax`` has it."""

    x: Tensor
    """``[M]`` int64, heatmap px."""
    y: Tensor
    """``[M]`` int64, heatmap px."""
    score: Tensor
    """``[M]`` float32, the map's value there; NaN where the map holds one."""
    window: Tensor
    """``[M, D, D]`` with ``D = 2 * reach + 1``: the values round the maximum, zeros outside the map; a copy."""

    @property
    def valid(self) -> Tensor:
        """``[M]`` bool: the map holds a landmark, its maximum being finite and above 0."""
        return (self.score > 0) & torch.isfinite(self.score)

    @property
    def xy(self) -> Tensor:
        """``[M, 2]`` float32, heatmap px."""
        return torch.stack((self.x, self.y), dim=-1).to(torch.float32)


def find_peaks(maps: Tensor, reach: int = 0) -> Peaks:
    """Maximum of each map and the window round it.

    Args:
        maps: ``[M, H, W]`` float32, contiguous, any device.
        reach: pixels of the window on either side.

    A NaN counts as the largest value, so that a map which holds one is seen to.
    """
    count, height, width = maps.shape
    side = 2 * reach + 1
    window: Tensor | None = None
    if maps.device.type == "cpu":
        index, window = _on_cpu(maps.numpy(), reach if height >= side and width >= side else 0)
    else:
        index = maps.reshape(count, height * width).argmax(dim=1)
    y = torch.div(index, width, rounding_mode="floor")
    x = index - y * width
    if window is None:
        window = windows(maps, x, y, reach)
    else:
        _move(window, x, y, height, width)
    return Peaks(x=x, y=y, score=window[:, reach, reach].clone(), window=window)


def _on_cpu(maps: NDArray[np.float32], reach: int) -> tuple[Tensor, Tensor | None]:
    """Flat indices of the maxima and, with ``reach``, windows moved to lie inside the map.

    numpy's argmax is vectorised and reads the memory once, torch's takes 5 times as long on a CPU; numpy copies
    windows out of a strided view twice as fast too.
    """
    count, height, width = maps.shape
    flat = maps.reshape(count, height * width)
    if not reach:
        return torch.from_numpy(flat.argmax(axis=1)), None
    side = 2 * reach + 1
    places = maps.size - (side - 1) * (width + 1)
    item = maps.itemsize
    every = as_strided(maps, (places, side, side), (item, width * item, item), writeable=False)
    # The flat index of the top left pixel of each pixel's window.
    left = (np.arange(width) - reach).clip(0, width - side)
    top = (np.arange(height) - reach).clip(0, height - side)
    corner = (top[:, None] * width + left).ravel()
    first = np.arange(count) * (height * width)
    index = np.empty(count, dtype=np.int64)
    window = np.empty((count, side, side), dtype=maps.dtype)
    step = max(1, CHUNK // (height * width * item))
    for start in range(0, count, step):
        part = slice(start, start + step)
        index[part] = flat[part].argmax(axis=1)
        window[part] = every[corner[index[part]] + first[part]]
    return torch.from_numpy(index), torch.from_numpy(window)


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
    height, width = maps.shape[1:]
    side = 2 * radius + 1
    if height < side or width < side:
        return _select(pad(maps, (radius,) * 4), x, y, side)
    left, top = (x - radius).clamp_(0, width - side), (y - radius).clamp_(0, height - side)
    found = _select(maps, left, top, side)
    _move(found, x, y, height, width)
    return found


def _every_window(maps: Tensor, side: int) -> Tensor:
    """All windows of contiguous maps as a view, also those that reach from one row or map into the next.

    index_select from it copies rows of pixels, 4 times as fast as gathering single pixels.
    """
    width = maps.shape[2]
    return maps.as_strided((maps.numel() - (side - 1) * (width + 1), side, side), (1, width, 1))


def _select(maps: Tensor, left: Tensor, top: Tensor, side: int) -> Tensor:
    """The ``side`` x ``side`` windows of contiguous maps at the given corners, inside the maps."""
    count, height, width = maps.shape
    start = torch.arange(count, device=maps.device).mul_(height * width).add_(top * width).add_(left)
    return _every_window(maps, side).index_select(0, start)


def _move(found: Tensor, x: Tensor, y: Tensor, height: int, width: int) -> None:
    """Put right, in place, the windows that were moved to lie inside the map: back, with zeros behind the edge."""
    side = found.shape[1]
    radius = side // 2
    back_x = x - radius - (x - radius).clamp_(0, width - side)
    back_y = y - radius - (y - radius).clamp_(0, height - side)
    moved = ((back_x != 0) | (back_y != 0)).nonzero()[:, 0]
    if moved.numel():
        wide = pad(found[moved], (radius,) * 4)
        found[moved] = _select(wide, radius + back_x[moved], radius + back_y[moved], side)
