"""The decoder of Megvii's CPN and MSPN."""

from __future__ import annotations

from dataclasses import fields
from typing import ClassVar

import torch
from torch import Tensor

from decoders.gaussian import Blur
from decoders.interface import HeatmapDecoder
from decoders.options import Option, as_int
from decoders.peak import Peaks, find_peaks
from decoders.quarter_offset import quarter_steps

__all__ = ["Megvii"]


class Megvii(HeatmapDecoder):
    """Maximum of the blurred map, then quarter offset and half a pixel, both away from the border only.

    Within one pixel of the left and top borders, and on the right and bottom ones, neither is added: the half pixel
    goes with the quarter step. Scores are the blurred map's maximum (mmpose rescales and reports score / 255 + 0.5).
    """

    name: ClassVar = "megvii"
    source: ClassVar = "mmpose 1.x mmpose/codecs/megvii_heatmap.py decode (CPN, arXiv 1711.07319; MSPN, 1901.00148)"
    own_half_pixel: ClassVar = True
    bound: ClassVar = 1.07
    exempt: ClassVar = {"flip": "the half pixel is added on both sides of a mirror"}
    schema: ClassVar = {"kernel": Option(default=11, minimum=3, maximum=99, odd=True, doc="blur size, px")}

    def __init__(self, **options: object) -> None:
        """Check the options and compute the kernel."""
        super().__init__(**options)
        self._blur = Blur(as_int(self.options["kernel"]))

    def find(self, maps: Tensor) -> Peaks:
        """The blurred map's maximum, which may be anywhere, and its blurred neighbours."""
        parts = [find_peaks(blurred, 1) for _, blurred in self._blur.whole(maps)]
        return Peaks(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Peaks)))

    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Maximum plus quarter step plus half a pixel."""
        _, height, width = maps.shape
        inside = (peaks.x > 1) & (peaks.x < width - 1) & (peaks.y > 1) & (peaks.y < height - 1)
        half = torch.where(inside, 0.5, 0.0)[:, None]
        return peaks.xy + quarter_steps(maps, peaks, "mmpose0") + half
