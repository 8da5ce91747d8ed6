"""Gaussian blur as OpenCV does it: over whole maps, or only at the few pixels round a peak that a decoder reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import torch
from torch import Tensor

from nmebench.decoders.maxima import Peaks

__all__ = ["Blur"]

WHOLE_BYTES = 98 * 64 * 64 * 4
"""Bytes of maps that are blurred whole at a time, so that they stay in the cache."""


class Blur:
    """A Gaussian blur with zeros outside the map.

    The coefficients are OpenCV's own: computed in float64, used in float32, and for sizes up to 9 without a sigma a
    fixed table (size 3 is 1/4, 1/2, 1/4), not the formula.
    """

    def __init__(self, size: int, sigma: float | None = None) -> None:
        """``size`` in pixels, odd; without ``sigma`` OpenCV's 0.3 * ((size - 1) / 2 - 1) + 0.8."""
        self.size = size
        kernel = cv2.getGaussianKernel(size, sigma if sigma is not None else 0.0)[:, 0]
        self.kernel = torch.from_numpy(kernel).to(torch.float32)

    def whole(self, maps: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Whole maps ``[M, H, W]`` blurred, as two products with banded matrices, a few at a time.

        Yields:
            The slice of maps and their blurred values, in a buffer that the next step overwrites: fresh memory for
            each step takes as long as the products themselves.
        """
        count, height, width = maps.shape
        size = WHOLE_BYTES if maps.device.type == "cpu" else 1 << 28
        step = min(count, max(1, size // (height * width * 4)))
        down = self.banded(height).to(maps.device).expand(step, height, height)
        across = self.banded(width).to(maps.device)
        half, full = torch.empty_like(maps[:step]), torch.empty_like(maps[:step])
        for start in range(0, count, step):
            part = slice(start, min(start + step, count))
            number = part.stop - start
            torch.mm(maps[part].view(-1, width), across, out=half[:number].view(-1, width))
            yield part, torch.bmm(down[:number], half[:number], out=full[:number])

    def rows(self, rows: Tensor) -> Tensor:
        """Rows ``[M, L]`` blurred along L only."""
        return rows @ self.banded(rows.shape[1]).to(rows.device)

    def at(self, window: Tensor, places: Sequence[tuple[int, int]]) -> Tensor:
        """Blurred values at a few pixels round each peak, without blurring the map.

        Args:
            window: ``[M, D, D]`` round the peaks, reaching as far as the places and half the kernel together.
            places: ``P`` pairs (dx, dy), heatmap px from the peak. A place outside the map isn't meaningful.

        Returns:
            ``[M, P]`` float32.
        """
        reach = max(max(abs(dx), abs(dy)) for dx, dy in places)
        side = self.size // 2 * 2 + 2 * reach + 1
        across, down = self._stencils(places, reach)
        # Along the rows first, then down the columns, each one matrix product: sums as short as OpenCV's, and so as
        # exact in float32, where the product with one two-dimensional stencil is off by twice as much.
        rows = window.view(-1, side) @ across.to(window.device)
        return rows.view(-1, side * (2 * reach + 1)) @ down.to(window.device)

    def log_ready(
        self,
        maps: Tensor,
        peaks: Peaks,
        places: Sequence[tuple[int, int]],
        wanted: Tensor,
        *,
        path: str,
        floor: float,
        ceiling: float = math.inf,
    ) -> tuple[Tensor, int]:
        """Blurred values round the peaks, from which the logarithm's differences follow.

        mmpose rescales each blurred map to its old maximum and then cuts it to ``floor`` .. ``ceiling``. The scale is
        at least 1 and a constant under the logarithm, so that it can be left out unless it decides what is cut: where
        a value without it is under the floor, or the map's maximum over the ceiling. There ``path="auto"`` blurs the
        whole map; ``"whole"`` does so everywhere, ``"local"`` nowhere.

        Args:
            maps: ``[M, H, W]``.
            peaks: where.
            places: ``P`` pairs (dx, dy), heatmap px.
            wanted: ``[M]`` bool, the landmarks that will be refined.
            path: ``auto``, ``whole`` or ``local``.
            floor: smallest value that isn't cut.
            ceiling: largest value that isn't cut.

        Returns:
            ``[P, M]`` float64, and how many maps were blurred whole.
        """
        if path == "whole":
            whole = wanted
            values = torch.zeros((maps.shape[0], len(places)), dtype=torch.float32, device=maps.device)
        else:
            values = self.at(peaks.window, places)
            whole = wanted & ((values < floor).any(dim=-1) | (peaks.score > ceiling))
        number = int(whole.sum())
        if number and path != "local":
            values = torch.where(whole[:, None], self.rescaled_at(maps, peaks, places, whole), values)
        return values.t().to(torch.float64), 0 if path == "local" else number

    def rescaled_at(self, maps: Tensor, peaks: Peaks, places: Sequence[tuple[int, int]], which: Tensor) -> Tensor:
        """The same of whole blurred maps, each rescaled to its old maximum, as mmpose does.

        Args:
            maps: ``[M, H, W]``.
            peaks: where; the scores are the old maxima.
            places: ``P`` pairs (dx, dy); outside the map the nearest pixel is read.
            which: ``[M]`` bool, the maps to do.

        Returns:
            ``[M, P]`` float32, zero where not ``which``.
        """
        count, height, width = maps.shape
        values = torch.zeros((count, len(places)), dtype=torch.float32, device=maps.device)
        dx, dy = torch.tensor(places, device=maps.device).unbind(dim=-1)
        chosen = which.nonzero()[:, 0]
        for part, blurred in self.whole(maps if chosen.numel() == count else maps[chosen]):
            rows = chosen[part]
            at_x = (peaks.x[rows, None] + dx).clamp(0, width - 1)
            at_y = (peaks.y[rows, None] + dy).clamp(0, height - 1)
            here = torch.arange(rows.numel(), device=maps.device)[:, None]
            scale = peaks.score[rows] / blurred.amax(dim=(1, 2))
            values[rows] = blurred[here, at_y, at_x] * scale[:, None]
        return values

    def _stencils(self, places: Sequence[tuple[int, int]], reach: int) -> tuple[Tensor, Tensor]:
        """Weights ``[side, R]`` from a window's row to its blurred ``R = 2 * reach + 1`` middle columns, and
        ``[side * R, P]`` from those to the places.
        """
        width = 2 * reach + 1
        side = self.size + 2 * reach
        across = torch.zeros((side, width))
        for column in range(width):
            across[column : column + self.size, column] = self.kernel
        down = torch.zeros((side, width, len(places)))
        for place, (dx, dy) in enumerate(places):
            down[dy + reach : dy + reach + self.size, dx + reach, place] = self.kernel
        return across, down.view(side * width, len(places))

    def banded(self, length: int) -> Tensor:
        """The symmetric matrix ``[length, length]`` that blurs a row or column of that length."""
        half = self.size // 2
        step = torch.arange(length)[:, None] - torch.arange(length)[None, :] + half
        return torch.where((step >= 0) & (step < self.size), self.kernel[step.clamp(0, self.size - 1)], 0.0)
