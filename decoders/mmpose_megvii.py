"""mmpose's Megvii codec: the decoder of Megvii's CPN and MSPN."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.blur import Blur
from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima, find_maxima
from nmebench.decoders.options import Option, as_int
from nmebench.decoders.quarter_offset import quarter_steps
from nmebench.protocol import Chain

__all__ = ["MmposeMegvii"]


class MmposeMegvii(HeatmapDecoder):
    """Maximum of the blurred map, plus quarter offset and half a pixel, both only away from the border.

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px. Neither is added where x or y is at
    most 1, or at the right or bottom border: the half pixel comes only with the quarter step. Scores are the maximum
    of the blurred map (mmpose rescales it and reports score / 255 + 0.5).

    Raises:
        DecoderError: a ``kernel`` that is not an odd integer from 3 to 99; on a call, heatmaps that are not a
            floating-point tensor ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> from nmebench.decoders.interface import gaussians
        >>> heatmaps = gaussians(torch.tensor([[[10.2, 9.8]]]), height=20, width=24, sigma=2.0)
        >>> decoders.create("mmpose-megvii")(heatmaps).landmarks
        tensor([[[10.7500, 10.2500]]])
    """

    name: ClassVar = "mmpose-megvii"
    source: ClassVar = "mmpose 1.x mmpose/codecs/megvii_heatmap.py decode (CPN, arXiv 1711.07319; MSPN, 1901.00148)"
    chain: ClassVar = Chain("mmpose", None)
    bound: ClassVar = 1.07
    exempt: ClassVar = {"flip": "the half pixel is added on both sides of a mirror"}
    schema: ClassVar = {"kernel": Option(default=11, minimum=3, maximum=99, odd=True, doc="blur size, px")}

    def __init__(self, **options: object) -> None:
        """Check the options and compute the kernel."""
        super().__init__(**options)
        self._blur = Blur(as_int(self.options["kernel"]))

    def find_maxima(self, maps: Tensor) -> Maxima:
        """Return the maxima of the blurred maps and their blurred neighbours."""
        parts = [find_maxima(blurred, radius=1) for _, blurred in self._blur.complete_maps(maps)]
        return Maxima(
            x=torch.cat([part.x for part in parts]),
            y=torch.cat([part.y for part in parts]),
            score=torch.cat([part.score for part in parts]),
            window=torch.cat([part.window for part in parts]),
        )

    def refine(self, maps: Tensor, maxima: Maxima) -> Tensor:
        """Return each maximum plus its quarter step plus half a pixel."""
        _, height, width = maps.shape
        inside = (maxima.x > 1) & (maxima.x < width - 1) & (maxima.y > 1) & (maxima.y < height - 1)
        half = torch.where(inside, 0.5, 0.0)[:, None]
        return maxima.xy + quarter_steps(maps, maxima, "mmpose0") + half
