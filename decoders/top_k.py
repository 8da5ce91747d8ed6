"""The softmax-weighted mean of the largest pixels (H3R)."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima
from nmebench.decoders.options import Option, as_int

__all__ = ["TopK", "largest"]

CHUNK_BYTES = 1 << 21
"""Bytes of maps that :func:`largest` searches at a time on a CPU."""


class TopK(HeatmapDecoder):
    """Mean position of the k largest pixels of the complete map, weighted by softmax of their values.

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px. The pixels may be anywhere in the map.
    Which of several equal values count among the k is undefined, as in H3R. On heatmaps with a small peak the weights
    are nearly equal; H3R's own decoder is ``top-k-logits``, which reads logits.

    Raises:
        DecoderError: a ``k`` outside 1 to 1024; on a call, heatmaps that are not a floating-point tensor
            ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> heatmaps = torch.zeros(1, 1, 4, 5)
        >>> heatmaps[0, 0, 2, 2:4] = 1.0  # two equal maxima, at x = 2 and x = 3
        >>> decoders.create("top-k", k=2)(heatmaps).landmarks
        tensor([[[2.5000, 2.0000]]])
    """

    name: ClassVar = "top-k"
    source: ClassVar = (
        "Yu and Tao, Heatmap Regression via Randomized Rounding (H3R), TPAMI 2021, arXiv 2009.00225; "
        "torchalign/heatmap_head/transforms/functional.py heatmap2coord"
    )
    bound: ClassVar = 0.5
    schema: ClassVar = {"k": Option(default=9, minimum=1, maximum=1024, doc="number of pixels")}

    def locate(self, maps: Tensor, counts: Counter[str]) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Return landmarks and scores; the largest of the k pixels is the maximum, so the maps are read only once."""
        width = maps.shape[2]
        values, index = largest(maps, as_int(self.options["k"]))
        weights = torch.softmax(values, dim=1)
        rows = torch.div(index, width, rounding_mode="floor")
        x = (weights * (index - rows * width)).sum(dim=1)
        y = (weights * rows).sum(dim=1)
        return torch.stack((x, y), dim=-1), values.amax(dim=1)

    def refine(self, maps: Tensor, maxima: Maxima) -> Tensor:
        """Return the landmarks of :meth:`locate`; the maxima are not used."""
        del maxima
        return self.locate(maps, Counter())[0]


def largest(maps: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the ``k`` largest values of each map.

    The k largest pixels are in the k rows with the largest maxima, so only a small part of the map is sorted.

    Args:
        maps: ``[M, H, W]``, contiguous.
        k: number of pixels.

    Returns:
        the values and their flat indices, each ``[M, min(k, H * W)]``, in no particular order.

    Example:
        >>> import torch
        >>> values, index = largest(torch.tensor([[[0.0, 3.0, 1.0], [2.0, 0.0, 0.0]]]), 2)
        >>> sorted(zip(index[0].tolist(), values[0].tolist()))
        [(1, 3.0), (3, 2.0)]
    """
    count, height, width = maps.shape
    k = min(k, height * width)
    if k >= height:
        found = maps.view(count, -1).topk(k, dim=1, sorted=False)
        return found.values, found.indices
    size = CHUNK_BYTES if maps.device.type == "cpu" else 1 << 28
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
