"""DARK as in mmpose's UDP codec: another stencil and another clamp."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.blur import Blur
from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima
from nmebench.decoders.options import Option, as_int

__all__ = ["DarkUdp"]

FLOOR, CEILING = 1e-3, 50.0
"""The blurred, rescaled map is clamped to this range before the logarithm."""

OFFSETS = tuple((dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
"""(dx, dy) of the 9 pixels that the Newton step reads."""

EPSILON = float(torch.finfo(torch.float32).eps)


class DarkUdp(HeatmapDecoder):
    """DARK with unit stencils, refined up to the border.

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px. It differs from ``dark`` in the clamp
    (1e-3 to 50), the stencil (second differences one pixel apart), the Hessian (always inverted, with float32's epsilon
    added to its diagonal) and the border (the blurred map is padded with its edge values, and all maxima are refined).
    Like every refinement rule it works in the grid of the network; ``mmpose-udp`` is mmpose's codec with its grid.

    The option ``path`` is that of ``dark``; ``auto`` blurs the complete map where a value is under 1e-3 or the maximum
    is over 50.

    Raises:
        DecoderError: an option that is not allowed; on a call, heatmaps that are not a floating-point tensor
            ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> from nmebench.decoders.interface import gaussians
        >>> heatmaps = gaussians(torch.tensor([[[12.25, 9.5]]]), height=20, width=24, sigma=2.0)
        >>> decoders.create("dark-udp")(heatmaps).landmarks.round(decimals=2)
        tensor([[[12.2500,  9.5000]]])
    """

    name: ClassVar = "dark-udp"
    source: ClassVar = (
        "mmpose 1.x mmpose/codecs/utils/refinement.py refine_keypoints_dark_udp; Huang et al. CVPR 2020, "
        "arXiv 1911.07524"
    )
    bound: ClassVar = 0.005
    exempt: ClassVar = {"flip": "the mixed derivative is read along one of the two diagonals"}
    count_names: ClassVar = ("steps_over_1px", "whole_map")
    schema: ClassVar = {
        "kernel": Option(
            default=11, minimum=3, maximum=99, odd=True, doc="blur size, px; 11 suits sigma 2, 17 sigma 3"
        ),
        "path": Option(default="auto", choices=("auto", "whole", "local"), doc="how much of a map is blurred"),
    }

    def __init__(self, **options: object) -> None:
        """Check the options and compute the kernel."""
        super().__init__(**options)
        self._blur = Blur(as_int(self.options["kernel"]))
        self._path = str(self.options["path"])

    @property
    def window_radius(self) -> int:
        """The largest offset (1 px) plus half the kernel."""
        return 0 if self._path == "whole" else self._blur.size // 2 + 1

    def refine(self, maps: Tensor, maxima: Maxima) -> tuple[Tensor, dict[str, int]]:
        """Return each maximum plus its Newton step, and the counts."""
        values, complete = self._blur.values_for_log(
            maps, maxima, OFFSETS, maxima.valid, path=self._path, floor=FLOOR, ceiling=CEILING
        )
        logs = _pad_with_edge(values, maxima, maps).clamp_(FLOOR, CEILING).log_()
        step = _newton_step(logs).masked_fill_(~maxima.valid, 0.0)
        long = int((step.abs() > 1.0).any(dim=0).sum())
        return maxima.xy + step.t(), {"steps_over_1px": long, "whole_map": complete}


def _pad_with_edge(values: Tensor, maxima: Maxima, maps: Tensor) -> Tensor:
    """Return ``values`` ``[9, M]`` with those outside the map replaced by the nearest edge value."""
    _, height, width = maps.shape
    grid = values.reshape(3, 3, -1)
    at_edge = (maxima.x == 0) | (maxima.x == width - 1) | (maxima.y == 0) | (maxima.y == height - 1)
    if not bool(at_edge.any()):
        return grid.view(9, -1)
    grid = grid.clone()
    for column, outside in ((0, maxima.x == 0), (2, maxima.x == width - 1)):
        grid[:, column] = torch.where(outside, grid[:, 1], grid[:, column])
    for row, outside in ((0, maxima.y == 0), (2, maxima.y == height - 1)):
        grid[row] = torch.where(outside, grid[1], grid[row])
    return grid.view(9, -1)


def _newton_step(logs: Tensor) -> Tensor:
    """Return the step ``[2, M]`` (x, y), heatmap px, from log values ``[9, M]`` at ``OFFSETS``."""
    nw, north, _, west, centre, east, _, south, se = logs
    dx = 0.5 * (east - west)
    dy = 0.5 * (south - north)
    dxx = east - 2 * centre + west + EPSILON
    dyy = south - 2 * centre + north + EPSILON
    dxy = 0.5 * (se - east - south + 2 * centre - west - north + nw)
    return torch.stack((dxy * dy - dyy * dx, dxy * dx - dxx * dy)).div_(dxx * dyy - dxy * dxy)
