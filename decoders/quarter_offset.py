"""A quarter pixel from the maximum towards the larger neighbour, by the three border rules in use."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima
from nmebench.decoders.options import Option

__all__ = ["RULES", "QuarterOffset", "quarter_steps"]

RULES = ("mmpose1", "mmpose0", "hrnet")


def quarter_steps(maps: Tensor, maxima: Maxima, rule: str) -> Tensor:
    """Return steps of -0.25, 0 or 0.25 px towards the larger neighbour on each axis.

    Args:
        maps: ``[M, H, W]``.
        maxima: the pixels to step from, with windows of radius 1.
        rule: which pixels are far enough from the border to step. ``mmpose1`` decides each axis separately: x steps
            where 1 < x < W - 1 and 0 < y < H, and likewise for y. ``mmpose0`` steps on both axes where
            1 < x < W - 1 and 1 < y < H - 1, and on neither elsewhere. ``hrnet`` does the same where 0 < x < W - 1
            and 0 < y < H - 1 (the official code's 1 < px < W, counted from 1).

    Returns:
        ``[M, 2]`` float32 (x, y), heatmap px.

    Example:
        >>> import torch
        >>> from nmebench.decoders.maxima import find_maxima
        >>> maps = torch.zeros(1, 5, 6)
        >>> maps[0, 2, 3], maps[0, 2, 2] = 1.0, 0.5
        >>> quarter_steps(maps, find_maxima(maps, radius=1), "mmpose1")
        tensor([[-0.2500,  0.0000]])
    """
    _, height, width = maps.shape
    near = maxima.window
    steps = torch.stack((near[:, 1, 2] - near[:, 1, 0], near[:, 2, 1] - near[:, 0, 1]), dim=-1).sign_().mul_(0.25)
    low = 0 if rule == "hrnet" else 1
    inside_x = (maxima.x > low) & (maxima.x < width - 1)
    inside_y = (maxima.y > low) & (maxima.y < height - 1)
    if rule == "mmpose1":
        inside_x, inside_y = inside_x & (maxima.y > 0), inside_y & (maxima.x > 0)
    else:
        inside_x = inside_y = inside_x & inside_y
    return steps * torch.stack((inside_x, inside_y), dim=-1)


class QuarterOffset(HeatmapDecoder):
    """The maximum moved a quarter pixel towards the larger neighbour on each axis.

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px. The option ``rule`` selects the border
    rule; see :func:`quarter_steps`.

    Raises:
        DecoderError: an unknown ``rule``; on a call, heatmaps that are not a floating-point tensor ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> heatmaps = torch.zeros(1, 1, 5, 6)
        >>> heatmaps[0, 0, 2, 3], heatmaps[0, 0, 2, 2] = 1.0, 0.5
        >>> decoders.create("quarter-offset")(heatmaps).landmarks
        tensor([[[2.7500, 2.0000]]])
    """

    name: ClassVar = "quarter-offset"
    source: ClassVar = (
        "mmpose 1.x mmpose/codecs/utils/refinement.py refine_keypoints; mmpose 0.x "
        "mmpose/core/evaluation/top_down_eval.py keypoints_from_heatmaps; HRNet-Facial-Landmark-Detection "
        "lib/core/evaluation.py decode_preds"
    )
    bound: ClassVar = 0.36
    schema: ClassVar = {
        "rule": Option(
            default="mmpose1",
            choices=RULES,
            doc="whose border rule; `hrnet` gives 0-based pixels without the official code's + 0.5",
        )
    }

    @property
    def window_radius(self) -> int:
        """One pixel, because the step reads both neighbours."""
        return 1

    def refine(self, maps: Tensor, maxima: Maxima) -> Tensor:
        """Return each maximum plus its quarter step."""
        return maxima.xy + quarter_steps(maps, maxima, str(self.options["rule"]))
