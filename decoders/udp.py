"""The pixel of the maximum in unbiased (UDP) coordinates."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima

__all__ = ["Udp"]


class Udp(HeatmapDecoder):
    """The maximum, for networks trained with unbiased data processing: (input - 1) / (heatmap - 1) input px per pixel.

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px, equal to those of ``argmax``. Only the
    convention differs, which maps them to input px.

    Raises:
        DecoderError: on a call, heatmaps that are not a floating-point tensor ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> heatmaps = torch.zeros(1, 1, 4, 5)
        >>> heatmaps[0, 0, 2, 3] = 0.9
        >>> decoder = decoders.create("udp")
        >>> decoder(heatmaps).landmarks
        tensor([[[3., 2.]]])
        >>> decoder.convention
        'udp'
    """

    name: ClassVar = "udp"
    source: ClassVar = "Huang et al. CVPR 2020, arXiv 1911.07524, section 3; mmpose 1.x mmpose/codecs/udp_heatmap.py"
    convention: ClassVar = "udp"
    bound: ClassVar = 0.71

    def refine(self, maps: Tensor, maxima: Maxima) -> Tensor:  # noqa: ARG002
        """Return the maxima unchanged."""
        return maxima.xy
