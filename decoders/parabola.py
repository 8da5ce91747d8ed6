"""A parabola through the maximum and its two neighbours, on each axis."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Peaks
from nmebench.decoders.options import Option

__all__ = ["Parabola"]

FLOOR = 1e-10
"""Smallest value that is taken the logarithm of, as in DARK."""


class Parabola(HeatmapDecoder):
    """The vertex of the parabola through the maximum and its neighbours, on each axis by itself.

    On the values as they are (``raw``), or on their logarithms (``log``), which is exact for a sampled Gaussian of any
    sigma. The step is at most half a pixel. On an axis where the maximum lies at the border there is none.
    """

    name: ClassVar = "parabola"
    source: ClassVar = (
        "three-point quadratic interpolation, a textbook method: J. O. Smith, Spectral Audio Signal Processing, "
        "'Quadratic Interpolation of Spectral Peaks'"
    )
    bound: ClassVar = 0.005
    schema: ClassVar = {"fit": Option(default="log", choices=("raw", "log"), doc="values, or their logarithms")}

    @property
    def reach(self) -> int:
        """The two neighbours."""
        return 1

    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Maximum plus vertex."""
        _, height, width = maps.shape
        near = peaks.window.to(torch.float64)
        if self.options["fit"] == "log":
            near = near.clamp_min_(FLOOR).log_()
        before = torch.stack((near[:, 1, 0], near[:, 0, 1]))
        after = torch.stack((near[:, 1, 2], near[:, 2, 1]))
        bend = before - 2 * near[:, 1, 1] + after
        step = 0.5 * (before - after) / bend
        inside_x = (peaks.x > 0) & (peaks.x < width - 1)
        inside_y = (peaks.y > 0) & (peaks.y < height - 1)
        step = step.masked_fill_((bend == 0) | ~torch.stack((inside_x, inside_y)), 0.0)
        return peaks.xy + step.t()
