"""Soft-argmax over the whole map (integral regression)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Peaks
from nmebench.decoders.moments import moments
from nmebench.decoders.options import Option, as_float

__all__ = ["SoftArgmax"]


class SoftArgmax(HeatmapDecoder):
    """Mean position over the whole map, weighted by softmax(temperature * value).

    ``temperature`` multiplies: larger is sharper. Integral networks are trained with 1 on unbounded logits; on maps
    with a peak of 1 the thousands of background pixels would then outweigh the peak. The default of 16 is the best
    whole number for clean 64 x 64 Gaussians of sigma 2: lower ones are drawn to the map's middle, higher ones to the
    nearest pixel.
    LDEQ's exponential form, exp(beta * (h - max)) and its barycentre, is this decoder.
    """

    name: ClassVar = "soft-argmax"
    source: ClassVar = (
        "Sun et al., Integral Human Pose Regression, ECCV 2018, arXiv 1711.08229; mmpose 1.x "
        "mmpose/models/heads/regression_heads/integral_regression_head.py"
    )
    bound: ClassVar = 0.05
    schema: ClassVar = {
        "temperature": Option(default=16.0, minimum=1e-3, maximum=1e4, doc="factor on the values before the softmax")
    }

    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Mean position."""
        factor = as_float(self.options["temperature"])
        lowered = peaks.score.mul(-factor)[:, None]

        def weigh(values: Tensor, part: slice, scratch: Tensor) -> Tensor:
            # Below, exp's results are subnormal: nothing beside the maximum's 1, and tens of times as slow.
            return torch.add(lowered[part], values, alpha=factor, out=scratch).clamp_min_(-80.0).exp_()

        sums = moments(maps, weigh)
        return sums[:, 1:] / sums[:, :1]
