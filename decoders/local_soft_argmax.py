"""Soft-argmax in a window around the maximum (Bulat et al. 2021)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima
from nmebench.decoders.options import Option, as_float, as_int

__all__ = ["LocalSoftArgmax"]


class LocalSoftArgmax(HeatmapDecoder):
    """Mean position in a window around the maximum, weighted by softmax(temperature * value).

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px.

    ``temperature`` is a factor, as in landmarker and kornia: a larger one is sharper, a low one pulls the mean to the
    centre of the window. Pixels outside the map count as zeros, as in landmarker.

    Raises:
        DecoderError: an option that is not allowed; on a call, heatmaps that are not a floating-point tensor
            ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> heatmaps = torch.zeros(1, 1, 6, 7)
        >>> heatmaps[0, 0, 2, 3:5] = 1.0  # two equal maxima, at x = 3 and x = 4
        >>> decoders.create("local-soft-argmax", temperature=100, window=3)(heatmaps).landmarks
        tensor([[[3.5000, 2.0000]]])
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
    def window_radius(self) -> int:
        """Half of the option ``window``."""
        return as_int(self.options["window"]) // 2

    def refine(self, maps: Tensor, maxima: Maxima) -> Tensor:
        """Return each maximum plus the mean offset in its window."""
        side = as_int(self.options["window"])
        near = maxima.window.view(-1, side * side)
        weights = near.sub(maxima.score[:, None]).mul_(as_float(self.options["temperature"])).exp_()
        step = torch.arange(side, dtype=torch.float32, device=maps.device) - side // 2
        columns, rows = step.repeat(side), step.repeat_interleave(side)
        sums = weights @ torch.stack((columns, rows, torch.ones_like(rows)), dim=-1)
        return maxima.xy + sums[:, :2] / sums[:, 2:]
