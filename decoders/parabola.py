"""A parabola through the maximum and its two neighbours on each axis."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima
from nmebench.decoders.options import Option

__all__ = ["Parabola"]

FLOOR = 1e-10
"""Smaller values are raised to this before the logarithm, as in DARK."""


class Parabola(HeatmapDecoder):
    """The vertex of the parabola through the maximum and its neighbours, separately on each axis.

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px. The option ``fit`` selects the values
    (``raw``) or their logarithms (``log``); the latter is exact for a sampled Gaussian of any sigma. The step is at
    most half a pixel, and zero on an axis where the maximum is at the border.

    Raises:
        DecoderError: an unknown ``fit``; on a call, heatmaps that are not a floating-point tensor ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> heatmaps = torch.zeros(1, 1, 5, 6)
        >>> heatmaps[0, 0, 2, 2:5] = torch.tensor([0.5, 1.0, 0.0])
        >>> decoders.create("parabola", fit="raw")(heatmaps).landmarks.round(decimals=3)
        tensor([[[2.8330, 2.0000]]])
    """

    name: ClassVar = "parabola"
    source: ClassVar = (
        "three-point quadratic interpolation, a textbook method: J. O. Smith, Spectral Audio Signal Processing, "
        "'Quadratic Interpolation of Spectral Peaks'"
    )
    bound: ClassVar = 0.005
    schema: ClassVar = {"fit": Option(default="log", choices=("raw", "log"), doc="fit the values or their logarithms")}

    @property
    def window_radius(self) -> int:
        """One pixel, because the parabola needs both neighbours."""
        return 1

    def refine(self, maps: Tensor, maxima: Maxima) -> Tensor:
        """Return the vertices."""
        _, height, width = maps.shape
        near = maxima.window.to(torch.float64)
        if self.options["fit"] == "log":
            near = near.clamp_min_(FLOOR).log_()
        before = torch.stack((near[:, 1, 0], near[:, 0, 1]))
        after = torch.stack((near[:, 1, 2], near[:, 2, 1]))
        curvature = before - 2 * near[:, 1, 1] + after
        step = 0.5 * (before - after) / curvature
        inside_x = (maxima.x > 0) & (maxima.x < width - 1)
        inside_y = (maxima.y > 0) & (maxima.y < height - 1)
        step = step.masked_fill_((curvature == 0) | ~torch.stack((inside_x, inside_y)), 0.0)
        return maxima.xy + step.t()
