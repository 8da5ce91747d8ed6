"""The softmax-weighted mean of the largest logits: H3R's own decoder."""

from __future__ import annotations

from typing import ClassVar

from nmebench.decoders.top_k import TopK

__all__ = ["TopKLogits"]


class TopKLogits(TopK):
    """Mean position of the k largest pixels of the complete map of logits, weighted by softmax of their values.

    Reads ``logits`` ``[N, K, H, W]``, which a network gives beside its heatmaps; landmarks are ``[N, K, 2]`` in heatmap
    px. It differs from ``top-k`` in what it reads: logits may be negative everywhere, so the card of such a network
    says that no map is empty (``[output] empty = "never"``). Scores are the largest logits.

    Raises:
        DecoderError: a ``k`` outside 1 to 1024; on a call, no ``logits``, or not a floating-point tensor
            ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> logits = torch.full((1, 1, 4, 5), -9.0)
        >>> logits[0, 0, 2, 2:4] = -1.0  # two equal maxima, at x = 2 and x = 3
        >>> decoder = decoders.create("top-k-logits", k=2).for_network(largest_empty=-torch.inf)
        >>> decoder({"logits": logits}).landmarks
        tensor([[[2.5000, 2.0000]]])
    """

    name: ClassVar = "top-k-logits"
    needs: ClassVar = ("logits",)
