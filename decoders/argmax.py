"""The maximum's pixel."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Peaks

__all__ = ["Argmax"]


class Argmax(HeatmapDecoder):
    """The pixel of the maximum; of equal maxima the first in row order."""

    name: ClassVar = "argmax"
    source: ClassVar = "mmpose 1.x mmpose/codecs/utils/post_processing.py get_heatmap_maximum"
    bound: ClassVar = 0.71

    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor:  # noqa: ARG002
        """The maxima as they are."""
        return peaks.xy
