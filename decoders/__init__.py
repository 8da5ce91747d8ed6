"""Heatmap decoders: from a network's outputs to landmarks in heatmap pixels.

``create``, ``from_spec``, ``names``, ``describe`` and ``broken`` import torch and a decoder only when one is used.

Example:
    >>> import torch
    >>> from nmebench import decoders
    >>> heatmaps = torch.zeros(1, 1, 5, 6)  # [N, K, H, W]
    >>> heatmaps[0, 0, 2, 3] = 1.0  # the maximum is at x = 3, y = 2
    >>> heatmaps[0, 0, 2, 2] = 0.5
    >>> landmarks, scores = decoders.from_spec("quarter-offset:rule=mmpose0")(heatmaps)
    >>> landmarks  # [N, K, 2], heatmap px
    tensor([[[2.7500, 2.0000]]])
    >>> scores
    tensor([[1.]])
"""

from nmebench.decoders.errors import DecoderError
from nmebench.decoders.registry import broken, create, describe, from_spec, names

__all__ = ["DecoderError", "broken", "create", "describe", "from_spec", "names"]
