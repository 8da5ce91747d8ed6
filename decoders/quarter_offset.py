"""A quarter pixel from the maximum towards the larger neighbour, by the three rules that are in use."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Peaks
from nmebench.decoders.options import Option

__all__ = ["RULES", "QuarterOffset", "quarter_steps"]

RULES = ("mmpose1", "mmpose0", "hrnet")


def quarter_steps(maps: Tensor, peaks: Peaks, rule: str) -> Tensor:
    """Steps of -0.25, 0 or 0.25 towards the larger neighbour on each axis.

    Args:
        maps: ``[M, H, W]``.
        peaks: the pixels to step from, with windows of reach 1.
        rule: which pixels are far enough from the border. ``mmpose1``: each axis by itself, 1 < x < W - 1 with
            0 < y < H, and likewise for y. ``mmpose0``: 1 < x < W - 1 and 1 < y < H - 1, both axes or none.
            ``hrnet``: 0 < x < W - 1 and 0 < y < H - 1, both or none (the official code's 1 < px < W from 1).

    Returns:
        ``[M, 2]`` float32 (x, y), heatmap px.
    """
    _, height, width = maps.shape
    near = peaks.window
    steps = torch.stack((near[:, 1, 2] - near[:, 1, 0], near[:, 2, 1] - near[:, 0, 1]), dim=-1).sign_().mul_(0.25)
    low = 0 if rule == "hrnet" else 1
    inside_x = (peaks.x > low) & (peaks.x < width - 1)
    inside_y = (peaks.y > low) & (peaks.y < height - 1)
    if rule == "mmpose1":
        inside_x, inside_y = inside_x & (peaks.y > 0), inside_y & (peaks.x > 0)
    else:
        inside_x = inside_y = inside_x & inside_y
    return steps * torch.stack((inside_x, inside_y), dim=-1)


class QuarterOffset(HeatmapDecoder):
    """The maximum moved a quarter pixel towards the larger neighbour on each axis."""

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
    def reach(self) -> int:
        """The two neighbours."""
        return 1

    def refine(self, maps: Tensor, peaks: Peaks) -> Tensor:
        """Maximum plus quarter step."""
        return peaks.xy + quarter_steps(maps, peaks, str(self.options["rule"]))
