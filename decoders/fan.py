"""The decoder of the `face-alignment` package (FAN)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from decoders.interface import HeatmapDecoder
from decoders.peak import Peaks
from decoders.quarter_offset import quarter_steps

__all__ = ["Fan"]


class Fan(HeatmapDecoder):
    """Quarter offset and half a pixel, as the face-alignment package decodes.

    The package counts from 1 and subtracts 0.5, which is ``+ 0.5`` from 0. Its border rule compares with 63, for
    64 x 64 maps; here the map's own size is used, so that other sizes follow the same rule.
    """

    name: ClassVar = "fan"
    source: ClassVar = "1adrianb/face-alignment face_alignment/utils.py get_preds_fromhm (and issue 141)"
    own_half_pixel: ClassVar = True
    bound: ClassVar = 1.07
    exempt: ClassVar = {"flip": "the half pixel is added on both sides of a mirror"}

    @property
    def reach(self) -> int:
        """The two neighbours."""
        return 1

    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Maximum plus quarter step plus half a pixel."""
        return peaks.xy + quarter_steps(maps, peaks, "hrnet") + 0.5
