"""Gaussian blur as OpenCV computes it: of complete maps, or only at the few pixels around a maximum that are read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import torch
from torch import Tensor

from nmebench.decoders.maxima import Maxima

__all__ = ["Blur"]

CHUNK_BYTES = 98 * 64 * 64 * 4
"""Bytes of complete maps that are blurred at a time on a CPU, so that they stay in its cache."""


class Blur:
    """A Gaussian blur with zeros outside the map.

    The coefficients are OpenCV's: computed in float64, used in float32. Up to size 9 without a sigma, OpenCV uses a
    fixed table (size 3 is 1/4, 1/2, 1/4) instead of the formula.

    Example:
        >>> Blur(3).kernel
        tensor([0.2500, 0.5000, 0.2500])
    """

    def __init__(self, size: int, sigma: float | None = None) -> None:
        """Compute the kernel.

        Args:
            size: kernel size in px, odd.
            sigma: in px; None for OpenCV's 0.3 * ((size - 1) / 2 - 1) + 0.8, or its table up to size 9.
        """
        self.size = size
        kernel = cv2.getGaussianKernel(size, sigma if sigma is not None else 0.0)[:, 0]
        self.kernel = torch.from_numpy(kernel).to(torch.float32)

    def complete_maps(self, maps: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Blur complete maps ``[M, H, W]``, a chunk at a time, as two products with band matrices.

        Yields:
            the slice of maps and their blurred values ``[m, H, W]``, in a buffer that the next step overwrites: new
            memory for each step takes as long as the products themselves.
        """
        count, height, width = maps.shape
        size = CHUNK_BYTES if maps.device.type == "cpu" else 1 << 28
        step = min(count, max(1, size // (height * width * 4)))
        down = self.band_matrix(height).to(maps.device).expand(step, height, height)
        across = self.band_matrix(width).to(maps.device)
        half, full = torch.empty_like(maps[:step]), torch.empty_like(maps[:step])
        for start in range(0, count, step):
            part = slice(start, min(start + step, count))
            number = part.stop - start
            torch.mm(maps[part].view(-1, width), across, out=half[:number].view(-1, width))
            yield part, torch.bmm(down[:number], half[:number], out=full[:number])

    def rows(self, rows: Tensor) -> Tensor:
        """Blur rows ``[M, L]`` along L only."""
        return rows @ self.band_matrix(rows.shape[1]).to(rows.device)

    def at_offsets(self, window: Tensor, offsets: Sequence[tuple[int, int]]) -> Tensor:
        """Compute blurred values at a few pixels around each maximum without blurring the map.

        Args:
            window: ``[M, D, D]`` around the maxima; its radius is the largest offset plus half the kernel.
            offsets: ``P`` pairs (dx, dy), heatmap px from the maximum. The value is undefined outside the map.

        Returns:
            ``[M, P]`` float32.
        """
        reach = max(max(abs(dx), abs(dy)) for dx, dy in offsets)
        side = self.size // 2 * 2 + 2 * reach + 1
        across, down = self._stencils(offsets, reach)
        # First along the rows, then along the columns, each as one matrix product: the sums are as short as OpenCV's
        # and as exact in float32. One product with a two-dimensional stencil has twice the error.
        rows = window.view(-1, side) @ across.to(window.device)
        return rows.view(-1, side * (2 * reach + 1)) @ down.to(window.device)

    def values_for_log(
        self,
        maps: Tensor,
        maxima: Maxima,
        offsets: Sequence[tuple[int, int]],
        refined: Tensor,
        *,
        path: str,
        floor: float,
        ceiling: float = math.inf,
    ) -> tuple[Tensor, int]:
        """Compute the blurred values around the maxima whose logarithms a DARK step reads.

        mmpose rescales each blurred map to its old maximum and then clamps it to ``floor`` .. ``ceiling``. The scale is
        at least 1 and becomes a constant under the logarithm, so it matters only where it decides what is clamped:
        where a value without it is under the floor, or the map's maximum is over the ceiling. ``path="auto"`` blurs
        the complete map only there, ``"whole"`` everywhere and ``"local"`` nowhere.

        Args:
            maps: ``[M, H, W]``.
            maxima: of the maps.
            offsets: ``P`` pairs (dx, dy), heatmap px.
            refined: ``[M]`` bool, the landmarks that will be refined.
            path: ``auto``, ``whole`` or ``local``.
            floor: smallest value that is not clamped.
            ceiling: largest value that is not clamped.

        Returns:
            ``[P, M]`` float64, and how many maps were blurred completely.
        """
        if path == "whole":
            complete = refined
            values = torch.zeros((maps.shape[0], len(offsets)), dtype=torch.float32, device=maps.device)
        else:
            values = self.at_offsets(maxima.window, offsets)
            complete = refined & ((values < floor).any(dim=-1) | (maxima.score > ceiling))
        number = int(complete.sum())
        if number and path != "local":
            values = torch.where(complete[:, None], self.rescaled_at_offsets(maps, maxima, offsets, complete), values)
        return values.t().to(torch.float64), 0 if path == "local" else number

    def rescaled_at_offsets(
        self, maps: Tensor, maxima: Maxima, offsets: Sequence[tuple[int, int]], chosen: Tensor
    ) -> Tensor:
        """Compute the same values from complete blurred maps, each rescaled to its old maximum, as mmpose does.

        Args:
            maps: ``[M, H, W]``.
            maxima: of the maps; their scores are the old maxima.
            offsets: ``P`` pairs (dx, dy); outside the map the nearest pixel is read.
            chosen: ``[M]`` bool, the maps to blur.

        Returns:
            ``[M, P]`` float32, zero for maps that are not chosen.
        """
        count, height, width = maps.shape
        values = torch.zeros((count, len(offsets)), dtype=torch.float32, device=maps.device)
        dx, dy = torch.tensor(offsets, device=maps.device).unbind(dim=-1)
        index = chosen.nonzero()[:, 0]
        for part, blurred in self.complete_maps(maps if index.numel() == count else maps[index]):
            rows = index[part]
            x = (maxima.x[rows, None] + dx).clamp(0, width - 1)
            y = (maxima.y[rows, None] + dy).clamp(0, height - 1)
            each = torch.arange(rows.numel(), device=maps.device)[:, None]
            scale = maxima.score[rows] / blurred.amax(dim=(1, 2))
            values[rows] = blurred[each, y, x] * scale[:, None]
        return values

    def _stencils(self, offsets: Sequence[tuple[int, int]], reach: int) -> tuple[Tensor, Tensor]:
        """Return the weights of :meth:`at_offsets`, with ``R = 2 * reach + 1``.

        Returns:
            ``[side, R]``, from one row of a window to its blurred middle columns, and ``[side * R, P]``, from those to
            the values at the offsets.
        """
        width = 2 * reach + 1
        side = self.size + 2 * reach
        across = torch.zeros((side, width))
        for column in range(width):
            across[column : column + self.size, column] = self.kernel
        down = torch.zeros((side, width, len(offsets)))
        for number, (dx, dy) in enumerate(offsets):
            down[dy + reach : dy + reach + self.size, dx + reach, number] = self.kernel
        return across, down.view(side * width, len(offsets))

    def band_matrix(self, length: int) -> Tensor:
        """Return the symmetric matrix ``[length, length]`` that blurs a row or column of that length.

        Example:
            >>> Blur(3).band_matrix(3)
            tensor([[0.5000, 0.2500, 0.0000],
                    [0.2500, 0.5000, 0.2500],
                    [0.0000, 0.2500, 0.5000]])
        """
        half = self.size // 2
        step = torch.arange(length)[:, None] - torch.arange(length)[None, :] + half
        return torch.where((step >= 0) & (step < self.size), self.kernel[step.clamp(0, self.size - 1)], 0.0)
