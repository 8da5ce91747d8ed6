"""The pixel of the maximum, without refinement."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima

__all__ = ["Argmax"]


class Argmax(HeatmapDecoder):
    """The pixel of the maximum; of equal maxima the first in row order.

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px.

    Raises:
        DecoderError: on a call, heatmaps that are not a floating-point tensor ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> heatmaps = torch.zeros(1, 1, 4, 5)
        >>> heatmaps[0, 0, 2, 3] = 0.9
        >>> decoders.create("argmax")(heatmaps).landmarks
        tensor([[[3., 2.]]])
    """

    name: ClassVar = "argmax"
    source: ClassVar = "mmpose 1.x mmpose/codecs/utils/post_processing.py get_heatmap_maximum"
    bound: ClassVar = 0.71

    def refine(self, maps: Tensor, maxima: Maxima) -> Tensor:  # noqa: ARG002
        """Return the maxima unchanged."""
        return maxima.xy
