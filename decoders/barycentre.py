"""The centre of mass of the complete map."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima
from nmebench.decoders.moments import moments
from nmebench.decoders.options import Option

__all__ = ["Barycentre"]


class Barycentre(HeatmapDecoder):
    """The centre of mass of the complete map, as in STAR and LDEQ.

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px. The option ``form`` selects the weights:

    * ``star``: the values themselves, with a sum of at least 1e-6. STAR's networks make their maps non-negative; a
      negative background can move the result anywhere, even outside the map.
    * ``ldeq``: the values minus the map's minimum (LDEQ's linear normalisation; its factor cancels). A constant map
      has zero weights and gives the map's centre. LDEQ's other normalisation, exp(beta * (h - max)), is the decoder
      ``soft-argmax`` with temperature beta.

    Raises:
        DecoderError: an unknown ``form``; on a call, heatmaps that are not a floating-point tensor ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> heatmaps = torch.zeros(1, 1, 4, 5)
        >>> heatmaps[0, 0, 2, 2:4] = torch.tensor([0.25, 0.75])
        >>> decoders.create("barycentre")(heatmaps).landmarks
        tensor([[[2.7500, 2.0000]]])
    """

    name: ClassVar = "barycentre"
    source: ClassVar = (
        "STAR lib/dataset/decoder/decoder_default.py get_coords_from_heatmap (Zhou et al. CVPR 2023); LDEQ "
        "utils/normalize.py Normalize (Micaelli et al. CVPR 2023)"
    )
    bound: ClassVar = 0.01
    schema: ClassVar = {"form": Option(default="star", choices=("star", "ldeq"), doc="whose weights to use")}

    def refine(self, maps: Tensor, maxima: Maxima) -> Tensor:
        """Return the centres of mass; the maxima are not used."""
        _, height, width = maps.shape
        middle = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64, device=maps.device)
        if self.options["form"] == "star":
            sums = moments(maps)
            mass = sums[:, :1]
            # STAR sums coordinates from -1 to 1: where the mass is below 1e-6, its result tends to the middle.
            return middle + (sums[:, 1:] - middle * mass) / mass.clamp_min(1e-6)
        lowest = torch.empty_like(maxima.score)[:, None]

        def weigh(values: Tensor, part: slice, scratch: Tensor) -> Tensor:
            torch.amin(values, dim=1, keepdim=True, out=lowest[part])
            return torch.sub(values, lowest[part], out=scratch)

        sums = moments(maps, weigh)
        mass = sums[:, :1]
        return torch.where(mass > 0, sums[:, 1:] / mass, middle)
