"""The first steps that all heatmap decoders share: the maximum of each map and the window around a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["Maxima", "find_maxima", "windows"]


CHUNK_BYTES = 1 << 20
"""Bytes of maps that are searched at a time on a CPU, so that the windows are then read from its cache."""


@dataclass(frozen=True)
class Maxima:
    """The maximum pixel of each of ``M`` maps; of equal maxima the first in row order, as in ``numpy.argmax``."""

    x: Tensor
    """``[M]`` int64, heatmap px."""
    y: Tensor
    """``[M]`` int64, heatmap px."""
    score: Tensor
    """``[M]`` float32, the map's value at the maximum; NaN where the map has one."""
    window: Tensor
    """``[M, D, D]`` with ``D = 2 * radius + 1``: the values around the maximum, zeros outside the map; a copy."""
    largest_empty: float = 0.0
    """The largest maximum of an empty map (:attr:`nmebench.decoders.interface.Decoder.largest_empty`)."""

    @property
    def valid(self) -> Tensor:
        """``[M]`` bool, true where the maximum is finite and above ``largest_empty``: the map has a landmark."""
        return (self.score > self.largest_empty) & torch.isfinite(self.score)

    @property
    def xy(self) -> Tensor:
        """``[M, 2]`` float32 (x, y), heatmap px."""
        return torch.stack((self.x, self.y), dim=-1).to(torch.float32)


def find_maxima(maps: Tensor, radius: int = 0) -> Maxima:
    """Find the maximum of each map and copy the window around it.

    A NaN counts as the largest value, so that a map with a NaN has the score NaN.

    Args:
        maps: ``[M, H, W]`` float32, contiguous, any device.
        radius: pixels of the window on either side of the maximum.

    Example:
        >>> import torch
        >>> maps = torch.zeros(1, 4, 5)
        >>> maps[0, 2, 4], maps[0, 2, 3] = 1.0, 0.5
        >>> maxima = find_maxima(maps, radius=1)
        >>> maxima.xy, maxima.score
        (tensor([[4., 2.]]), tensor([1.]))
        >>> maxima.window
        tensor([[[0.0000, 0.0000, 0.0000],
                 [0.5000, 1.0000, 0.0000],
                 [0.0000, 0.0000, 0.0000]]])
    """
    count, height, width = maps.shape
    side = 2 * radius + 1
    window: Tensor | None = None
    if maps.device.type == "cpu":
        index, window = _find_on_cpu(maps.numpy(), radius if height >= side and width >= side else 0)
    else:
        index = maps.reshape(count, height * width).argmax(dim=1)
    y = torch.div(index, width, rounding_mode="floor")
    x = index - y * width
    if window is None:
        window = windows(maps, x, y, radius)
    else:
        _recentre(window, x, y, height, width)
    return Maxima(x=x, y=y, score=window[:, radius, radius].clone(), window=window)


def _find_on_cpu(maps: NDArray[np.float32], radius: int) -> tuple[Tensor, Tensor | None]:
    """Return flat indices of the maxima and, with a ``radius``, windows shifted to be inside the map.

    numpy's argmax is vectorised and reads the memory once; torch's takes 5 times as long on a CPU. numpy also copies
    windows from a strided view twice as fast.
    """
    count, height, width = maps.shape
    flat = maps.reshape(count, height * width)
    if not radius:
        return torch.from_numpy(flat.argmax(axis=1)), None
    side = 2 * radius + 1
    places = maps.size - (side - 1) * (width + 1)
    item = maps.itemsize
    every = as_strided(maps, (places, side, side), (item, width * item, item), writeable=False)
    # The flat index of the top left pixel of each pixel's window.
    left = (np.arange(width) - radius).clip(0, width - side)
    top = (np.arange(height) - radius).clip(0, height - side)
    corner = (top[:, None] * width + left).ravel()
    first = np.arange(count) * (height * width)
    index = np.empty(count, dtype=np.int64)
    window = np.empty((count, side, side), dtype=maps.dtype)
    step = max(1, CHUNK_BYTES // (height * width * item))
    for start in range(0, count, step):
        part = slice(start, start + step)
        index[part] = flat[part].argmax(axis=1)
        window[part] = every[corner[index[part]] + first[part]]
    return torch.from_numpy(index), torch.from_numpy(window)


def windows(maps: Tensor, x: Tensor, y: Tensor, radius: int) -> Tensor:
    """Copy the square window around one pixel of each map, with zeros outside the map.

    Args:
        maps: ``[M, H, W]``, contiguous.
        x: ``[M]`` int64 column of each window's centre, inside the map.
        y: ``[M]`` int64 row of each window's centre, inside the map.
        radius: pixels on either side of the centre.

    Returns:
        ``[M, D, D]`` with ``D = 2 * radius + 1``.

    Example:
        >>> import torch
        >>> maps = torch.arange(12.0).view(1, 3, 4)
        >>> windows(maps, torch.tensor([3]), torch.tensor([1]), radius=1)
        tensor([[[ 2.,  3.,  0.],
                 [ 6.,  7.,  0.],
                 [10., 11.,  0.]]])
    """
    height, width = maps.shape[1:]
    side = 2 * radius + 1
    if height < side or width < side:
        return _select(pad(maps, (radius,) * 4), x, y, side)
    left, top = (x - radius).clamp_(0, width - side), (y - radius).clamp_(0, height - side)
    found = _select(maps, left, top, side)
    _recentre(found, x, y, height, width)
    return found


def _every_window(maps: Tensor, side: int) -> Tensor:
    """Return a view of all windows of contiguous maps, including those that span two rows or two maps.

    ``index_select`` from this view copies rows of pixels, 4 times as fast as gathering single pixels.
    """
    width = maps.shape[2]
    return maps.as_strided((maps.numel() - (side - 1) * (width + 1), side, side), (1, width, 1))


def _select(maps: Tensor, left: Tensor, top: Tensor, side: int) -> Tensor:
    """Copy the ``side`` x ``side`` windows of contiguous maps at the given corners, which must be inside the maps."""
    count, height, width = maps.shape
    start = torch.arange(count, device=maps.device).mul_(height * width).add_(top * width).add_(left)
    return _every_window(maps, side).index_select(0, start)


def _recentre(found: Tensor, x: Tensor, y: Tensor, height: int, width: int) -> None:
    """Centre, in place, the windows that were shifted to be inside the map; fill them with zeros outside it."""
    side = found.shape[1]
    radius = side // 2
    back_x = x - radius - (x - radius).clamp_(0, width - side)
    back_y = y - radius - (y - radius).clamp_(0, height - side)
    shifted = ((back_x != 0) | (back_y != 0)).nonzero()[:, 0]
    if shifted.numel():
        wide = pad(found[shifted], (radius,) * 4)
        found[shifted] = _select(wide, radius + back_x[shifted], radius + back_y[shifted], side)
