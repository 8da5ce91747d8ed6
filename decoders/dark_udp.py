"""DARK as mmpose's UDP codec has it: another stencil, another clamp, other coordinates."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.blur import Blur
from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Peaks
from nmebench.decoders.options import Option, as_int

__all__ = ["DarkUdp"]

FLOOR, CEILING = 1e-3, 50.0
"""The blurred, rescaled map is cut to this range before the logarithm."""

PLACES = tuple((dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
EPSILON = float(torch.finfo(torch.float32).eps)


class DarkUdp(HeatmapDecoder):
    """DARK with unit stencils, refined up to the border, in unbiased (UDP) coordinates.

    Beside the coordinates it differs from ``dark`` in the clamp (1e-3 to 50), the stencil (second differences one
    pixel apart), the Hessian (always inverted, plus float32's epsilon on its diagonal) and at the border (the blurred
    map is continued by its edge, and every maximum is refined).

    ``path``: as for ``dark``; here whole maps are needed where a value is under 1e-3 or a maximum over 50.
    """

    name: ClassVar = "dark-udp"
    source: ClassVar = (
        "mmpose 1.x mmpose/codecs/utils/refinement.py refine_keypoints_dark_udp; Huang et al. CVPR 2020, "
        "arXiv 1911.07524"
    )
    convention: ClassVar = "udp"
    bound: ClassVar = 0.005
    exempt: ClassVar = {"flip": "the mixed derivative is read along one of the two diagonals"}
    counted: ClassVar = ("steps_over_1px", "whole_map")
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
    def reach(self) -> int:
        """The stencil and half the kernel."""
        return 0 if self._path == "whole" else self._blur.size // 2 + 1

    def refine(self, maps: Tensor, peaks: Peaks) -> tuple[Tensor, dict[str, int]]:
        """Maximum plus Newton step."""
        values, whole = self._blur.log_ready(
            maps, peaks, PLACES, peaks.valid, path=self._path, floor=FLOOR, ceiling=CEILING
        )
        logs = _edged(values, peaks, maps).clamp_(FLOOR, CEILING).log_()
        step = _newton_step(logs).masked_fill_(~peaks.valid, 0.0)
        long = int((step.abs() > 1.0).any(dim=0).sum())
        return peaks.xy + step.t(), {"steps_over_1px": long, "whole_map": whole}


def _edged(values: Tensor, peaks: Peaks, maps: Tensor) -> Tensor:
    """``[9, M]`` with places outside the map replaced by the edge."""
    _, height, width = maps.shape
    grid = values.reshape(3, 3, -1)
    at_edge = (peaks.x == 0) | (peaks.x == width - 1) | (peaks.y == 0) | (peaks.y == height - 1)
    if not bool(at_edge.any()):
        return grid.view(9, -1)
    grid = grid.clone()
    for column, outside in ((0, peaks.x == 0), (2, peaks.x == width - 1)):
        grid[:, column] = torch.where(outside, grid[:, 1], grid[:, column])
    for row, outside in ((0, peaks.y == 0), (2, peaks.y == height - 1)):
        grid[row] = torch.where(outside, grid[1], grid[row])
    return grid.view(9, -1)


def _newton_step(logs: Tensor) -> Tensor:
    """Step ``[2, M]`` (x, y) from ``[9, M]`` log values."""
    nw, north, _, west, centre, east, _, south, se = logs
    dx = 0.5 * (east - west)
    dy = 0.5 * (south - north)
    dxx = east - 2 * centre + west + EPSILON
    dyy = south - 2 * centre + north + EPSILON
    dxy = 0.5 * (se - east - south + 2 * centre - west - north + nw)
    return torch.stack((dxy * dy - dyy * dx, dxy * dx - dxx * dy)).div_(dxx * dyy - dxy * dxy)
