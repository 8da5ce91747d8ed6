"""Soft-argmax in a window round the maximum (Bulat et al. 2021)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Peaks
from nmebench.decoders.options import Option, as_float, as_int

__all__ = ["LocalSoftArgmax"]


class LocalSoftArgmax(HeatmapDecoder):
    """Mean position in a window round the maximum, weighted by softmax(temperature * value).

    ``temperature`` multiplies, as in landmarker and kornia: larger is sharper. Pixels outside the map count as zeros,
    as in landmarker. A low temperature draws the mean to the window's centre.
    """

    name: ClassVar = "local-soft-argmax"
    source: ClassVar = (
        "Bulat et al., Subpixel Heatmap Regression for Facial Landmark Localization, BMVC 2021; "
        "predict-idlab/landmarker src/landmarker/heatmap/decoder.py coord_local_soft_argmax"
    )
    bound: ClassVar = 0.02
    schema: ClassVar = {
        "temperature": Option(default=10.0, minimum=1e-3, maximum=1e4, doc="factor on the values before the softmax"),
        "window": Option(default=5, minimum=3, maximum=31, odd=True, doc="side of the window, px"),
    }

    @property
    def reach(self) -> int:
        """Half the window."""
        return as_int(self.options["window"]) // 2

    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Maximum plus mean offset in the window."""
        side = as_int(self.options["window"])
        near = peaks.window.view(-1, side * side)
        weights = near.sub(peaks.score[:, None]).mul_(as_float(self.options["temperature"])).exp_()
        step = torch.arange(side, dtype=torch.float32, device=maps.device) - side // 2
        columns, rows = step.repeat(side), step.repeat_interleave(side)
        sums = weights @ torch.stack((columns, rows, torch.ones_like(rows)), dim=-1)
        return peaks.xy + sums[:, :2] / sums[:, 2:]
