"""The decoder of the official HRNet face code, kept to show its error: its landmarks are integer image pixels."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima
from nmebench.decoders.quarter_offset import quarter_steps
from nmebench.protocol import Chain

__all__ = ["OfficialHrnet"]


class OfficialHrnet(HeatmapDecoder):
    """Quarter offset by the official HRNet rule, mapped to integer image pixels by the ``official-hrnet`` chain.

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px. The official code counts pixels from
    1, adds 0.5, maps to the image with ``x - 1``, truncates towards zero and adds 1. For the 0-based landmarks of this
    decoder that is ``trunc(to_image(x + 0.5)) + 1``, which the ``official-hrnet`` chain computes.

    Raises:
        DecoderError: on a call, heatmaps that are not a floating-point tensor ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> heatmaps = torch.zeros(1, 1, 5, 6)
        >>> heatmaps[0, 0, 2, 3], heatmaps[0, 0, 2, 2] = 1.0, 0.5
        >>> decoder = decoders.create("official-hrnet")
        >>> decoder(heatmaps).landmarks
        tensor([[[2.7500, 2.0000]]])
        >>> decoder.chain.map
        'official-hrnet'
    """

    name: ClassVar = "official-hrnet"
    source: ClassVar = (
        "HRNet-Facial-Landmark-Detection lib/core/evaluation.py decode_preds, lib/utils/transforms.py transform_pixel"
    )
    chain: ClassVar = Chain("official-hrnet", None)
    bound: ClassVar = 0.36

    @property
    def window_radius(self) -> int:
        """One pixel, because the step reads both neighbours."""
        return 1

    def refine(self, maps: Tensor, maxima: Maxima) -> Tensor:
        """Return each maximum plus its quarter step, 0-based, without the official half pixel."""
        return maxima.xy + quarter_steps(maps, maxima, "hrnet")
