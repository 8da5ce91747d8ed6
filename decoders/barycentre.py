"""The centre of mass of the whole map."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Peaks
from nmebench.decoders.moments import moments
from nmebench.decoders.options import Option

__all__ = ["Barycentre"]


class Barycentre(HeatmapDecoder):
    """The whole map's centre of mass, as STAR and LDEQ decode.

    ``star``: weights are the values as they are, their sum at least 1e-6. It is meant for maps that a network has made
    non-negative; negative background pulls it anywhere, outside the map too.
    ``ldeq``: weights are the values less the map's minimum (LDEQ's linear normalisation; its factor drops out). A
    constant map, whose weights are all zero, gives the map's centre. LDEQ's other normalisation, exp(beta * (h - max)),
    is the decoder ``soft-argmax`` with temperature beta.
    """

    name: ClassVar = "barycentre"
    source: ClassVar = (
        "STAR lib/dataset/decoder/decoder_default.py get_coords_from_heatmap (Zhou et al. CVPR 2023); LDEQ "
        "utils/normalize.py Normalize (Micaelli et al. CVPR 2023)"
    )
    bound: ClassVar = 0.01
    schema: ClassVar = {"form": Option(default="star", choices=("star", "ldeq"), doc="whose weights")}

    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Centre of mass."""
        _, height, width = maps.shape
        middle = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64, device=maps.device)
        if self.options["form"] == "star":
            sums = moments(maps)
            mass = sums[:, :1]
            # STAR sums coordinates from -1 to 1, so that where 1e-6 bounds the mass the answer tends to the middle.
            return middle + (sums[:, 1:] - middle * mass) / mass.clamp_min(1e-6)
        lowest = torch.empty_like(peaks.score)[:, None]

        def weigh(values: Tensor, part: slice, scratch: Tensor) -> Tensor:
            torch.amin(values, dim=1, keepdim=True, out=lowest[part])
            return torch.sub(values, lowest[part], out=scratch)

        sums = moments(maps, weigh)
        mass = sums[:, :1]
        return torch.where(mass > 0, sums[:, 1:] / mass, middle)
