"""The softmax-weighted mean of the largest pixels (H3R)."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Peaks
from nmebench.decoders.options import Option, as_int

__all__ = ["TopK", "largest"]

BYTES = 1 << 21
"""Bytes of maps whose largest pixels are sought at a time on a CPU."""


class TopK(HeatmapDecoder):
    """Mean position of the k largest pixels of the whole map, weighted by softmax of their values.

    The pixels may lie anywhere in the map. Of equal values it isn't said which count, as in H3R.
    """

    name: ClassVar = "top-k"
    source: ClassVar = (
        "Yu and Tao, Heatmap Regression via Randomized Rounding (H3R), TPAMI 2021, arXiv 2009.00225; "
        "torchalign/heatmap_head/transforms/functional.py heatmap2coord"
    )
    bound: ClassVar = 0.5
    schema: ClassVar = {"k": Option(default=9, minimum=1, maximum=1024, doc="how many pixels")}

    def locate(self, maps: Tensor, counts: Counter[str]) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """The largest of the k pixels is the maximum, so that the maps are read once."""
        width = maps.shape[2]
        values, index = largest(maps, as_int(self.options["k"]))
        weights = torch.softmax(values, dim=1)
        rows = torch.div(index, width, rounding_mode="floor")
        x = (weights * (index - rows * width)).sum(dim=1)
        y = (weights * rows).sum(dim=1)
        return torch.stack((x, y), dim=-1), values.amax(dim=1)

    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """The same, for those who have the maxima already."""
        del peaks
        return self.locate(maps, Counter())[0]


def largest(maps: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` largest values of each map and their flat indices, each ``[M, min(k, H * W)]``, in no order.

    The k largest pixels lie in the k rows with the largest maxima, which leaves a small part of the map to sort.
    """
    count, height, width = maps.shape
    k = min(k, height * width)
    if k >= height:
        found = maps.view(count, -1).topk(k, dim=1, sorted=False)
        return found.values, found.indices
    size = BYTES if maps.device.type == "cpu" else 1 << 28
    step = max(1, size // (height * width * 4))
    values = torch.empty((count, k), dtype=maps.dtype, device=maps.device)
    index = torch.empty((count, k), dtype=torch.int64, device=maps.device)
    for start in range(0, count, step):
        part = maps[start : start + step]
        number = part.shape[0]
        rows = part.amax(dim=2).topk(k, dim=1, sorted=False).indices
        first = torch.arange(number, device=maps.device)[:, None] * height
        kept = part.view(-1, width).index_select(0, (first + rows).view(-1)).view(number, -1)
        best = kept.topk(k, dim=1, sorted=False)
        which = torch.div(best.indices, width, rounding_mode="floor")
        values[start : start + step] = best.values
        index[start : start + step] = rows.gather(1, which) * width + (best.indices - which * width)
    return values, index
