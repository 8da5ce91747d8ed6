"""mmpose's UDP codec: DARK with unit stencils in the UDP grid."""

from __future__ import annotations

from typing import ClassVar

from nmebench.decoders.dark_udp import DarkUdp
from nmebench.protocol import Chain

__all__ = ["MmposeUdp"]


class MmposeUdp(DarkUdp):
    """mmpose's UDP codec: ``dark-udp``, mapped to the image by x * size / (heatmap - 1).

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px, equal to those of ``dark-udp``. mmpose's
    codec gives x * input / (heatmap - 1) as input px, which its test loop maps to the image with size / input.

    Raises:
        DecoderError: as ``dark-udp``.

    Example:
        >>> from nmebench import decoders
        >>> decoders.create("mmpose-udp").chain
        Chain(map='mmpose-udp', grid='udp')
    """

    name: ClassVar = "mmpose-udp"
    source: ClassVar = (
        "mmpose 1.x mmpose/codecs/udp_heatmap.py decode (heatmap_type gaussian); Huang et al. CVPR 2020, "
        "arXiv 1911.07524"
    )
    chain: ClassVar = Chain("mmpose-udp", "udp")
