"""The maximum's pixel in unbiased coordinates."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Peaks

__all__ = ["Udp"]


class Udp(HeatmapDecoder):
    """The maximum, for networks trained with unbiased data processing: (input - 1) / (heatmap - 1) px a step."""

    name: ClassVar = "udp"
    source: ClassVar = "Huang et al. CVPR 2020, arXiv 1911.07524, section 3; mmpose 1.x mmpose/codecs/udp_heatmap.py"
    convention: ClassVar = "udp"
    bound: ClassVar = 0.71

    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor:  # noqa: ARG002
        """The maxima as they are; only the convention differs from ``argmax``."""
        return peaks.xy
