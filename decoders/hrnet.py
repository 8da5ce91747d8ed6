"""The official HRNet face code's decoder, kept as a warning example: its landmarks are whole image pixels."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Peaks
from nmebench.decoders.quarter_offset import quarter_steps

__all__ = ["Hrnet"]


class Hrnet(HeatmapDecoder):
    """Quarter offset by the official HRNet rule, mapped to whole image pixels by the ``hrnet`` convention.

    The official chain counts from 1, adds 0.5, maps to the image with ``x - 1``, truncates towards zero and adds 1.
    With the 0-based landmarks given here that is ``trunc(to_image(x + 0.5)) + 1``, which the convention stands for.
    """

    name: ClassVar = "hrnet"
    source: ClassVar = (
        "HRNet-Facial-Landmark-Detection lib/core/evaluation.py decode_preds, lib/utils/transforms.py transform_pixel"
    )
    convention: ClassVar = "hrnet"
    bound: ClassVar = 0.36

    @property
    def reach(self) -> int:
        """The two neighbours."""
        return 1

    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Maximum plus quarter step, 0-based, without the half pixel."""
        return peaks.xy + quarter_steps(maps, peaks, "hrnet")
