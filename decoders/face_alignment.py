"""The decoder of the `face-alignment` package (FAN)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima
from nmebench.decoders.quarter_offset import quarter_steps
from nmebench.protocol import Chain

__all__ = ["FaceAlignment"]


class FaceAlignment(HeatmapDecoder):
    """Quarter offset plus half a pixel, as in the face-alignment package.

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px. The package counts pixels from 1 and
    subtracts 0.5, which is ``+ 0.5`` when pixels count from 0. Its border rule compares with 63 because its maps are
    64 x 64; this decoder compares with the map's own size, so that the rule holds for other sizes.

    Raises:
        DecoderError: on a call, heatmaps that are not a floating-point tensor ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> heatmaps = torch.zeros(1, 1, 5, 6)
        >>> heatmaps[0, 0, 2, 3], heatmaps[0, 0, 2, 2] = 1.0, 0.5
        >>> decoders.create("face-alignment")(heatmaps).landmarks
        tensor([[[3.2500, 2.5000]]])
    """

    name: ClassVar = "face-alignment"
    source: ClassVar = "1adrianb/face-alignment face_alignment/utils.py get_preds_fromhm (and issue 141)"
    chain: ClassVar = Chain("mmpose", None)
    bound: ClassVar = 1.07
    exempt: ClassVar = {"flip": "the half pixel is added on both sides of a mirror"}

    @property
    def window_radius(self) -> int:
        """One pixel, because the step reads both neighbours."""
        return 1

    def refine(self, maps: Tensor, maxima: Maxima) -> Tensor:
        """Return each maximum plus its quarter step plus half a pixel."""
        return maxima.xy + quarter_steps(maps, maxima, "hrnet") + 0.5
