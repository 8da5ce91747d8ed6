"""DARK: distribution-aware coordinate representation (Zhang et al., CVPR 2020, section 3.2)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.blur import Blur
from nmebench.decoders.errors import DecoderError
from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Peaks
from nmebench.decoders.options import Option, as_float, as_int

__all__ = ["Dark", "kernel_for"]

FLOOR = 1e-10
"""Smallest blurred value that is taken the logarithm of, as in mmpose and the authors' code."""

PLACES = (
    (0, 0), (1, 0), (-1, 0), (2, 0), (-2, 0), (0, 1), (0, -1), (0, 2), (0, -2), (1, 1), (1, -1), (-1, 1), (-1, -1),
)  # fmt: skip
"""(dx, dy) of the 13 pixels that the Taylor step reads."""


def kernel_for(sigma: float) -> int:
    """The odd kernel size to which OpenCV's rule gives the sigma nearest to ``sigma`` (2 -> 11, 3 -> 17)."""
    return max(3, 2 * round((sigma - 0.8) / 0.3 + 1) + 1)


class Dark(HeatmapDecoder):
    """DARK: one Newton step on the logarithm of the blurred map, from the maximum.

    The maximum is the unblurred map's. Only maxima two pixels or more from every border are refined, as in the
    authors' and both of mmpose's versions. The step isn't bounded unless ``max_step`` says so.

    ``path``: ``whole`` blurs whole maps, rescales them to their old maximum and clamps at 1e-10, as mmpose does.
    ``local`` blurs only the 13 pixels that are read; rescaling adds a constant to the logarithm and drops out.
    ``auto`` is ``local`` but goes back to whole maps exactly where one of the 13 values is under the clamp, for there
    the rescaling matters. ``whole`` and ``auto`` agree to rounding.
    """

    name: ClassVar = "dark"
    source: ClassVar = (
        "Zhang et al. CVPR 2020, arXiv 1910.06278, section 3.2; ilovepose/DarkPose lib/core/inference.py; "
        "mmpose 1.x mmpose/codecs/utils/refinement.py refine_keypoints_dark"
    )
    bound: ClassVar = 0.005
    counted: ClassVar = ("steps_over_1px", "whole_map")
    schema: ClassVar = {
        "kernel": Option(
            default=11, minimum=3, maximum=99, odd=True, doc="blur size, px; 11 suits sigma 2, 17 sigma 3"
        ),
        "sigma": Option(default=None, kind=float, minimum=0.1, maximum=30.0, doc="blur sigma, px, instead of kernel"),
        "path": Option(default="auto", choices=("auto", "whole", "local"), doc="how much of a map is blurred"),
        "max_step": Option(
            default=None, kind=float, minimum=0.0, doc="largest step on each axis, px; longer ones are cut"
        ),
    }

    def __init__(self, **options: object) -> None:
        """Check the options and compute the kernel."""
        super().__init__(**options)
        kernel, sigma = self.options["kernel"], self.options["sigma"]
        if sigma is not None and kernel != self.schema["kernel"].default:
            raise DecoderError(f"dark: give kernel={kernel} or sigma={sigma}, not both")
        width = None if sigma is None else as_float(sigma)
        self._blur = Blur(as_int(kernel) if width is None else kernel_for(width), width)
        self._path = str(self.options["path"])
        bound = self.options["max_step"]
        self._max_step = None if bound is None else as_float(bound)

    @property
    def reach(self) -> int:
        """The stencil and half the kernel."""
        return 0 if self._path == "whole" else self._blur.size // 2 + 2

    def refine(self, maps: Tensor, peaks: Peaks) -> tuple[Tensor, dict[str, int]]:
        """Maximum plus Newton step."""
        _, height, width = maps.shape
        inside = (peaks.x > 1) & (peaks.x < width - 2) & (peaks.y > 1) & (peaks.y < height - 2)
        inside &= peaks.valid
        values, whole = self._blur.log_ready(maps, peaks, PLACES, inside, path=self._path, floor=FLOOR)
        step = newton_step(values.clamp_min_(FLOOR).log_()).masked_fill_(~inside, 0.0)
        long = int((step.abs() > 1.0).any(dim=0).sum())
        if self._max_step is not None:
            step = step.clamp(-self._max_step, self._max_step)
        return peaks.xy + step.t(), {"steps_over_1px": long, "whole_map": whole}


def newton_step(logs: Tensor) -> Tensor:
    """The step to the maximum of the quadratic through 13 log values.

    Args:
        logs: ``[13, M]`` float64 at ``PLACES``.

    Returns:
        ``[2, M]`` (x, y), heatmap px; zero where the Hessian is singular.
    """
    centre, east, west, east2, west2, south, north, south2, north2, se, ne, sw, nw = logs
    dx = 0.5 * (east - west)
    dy = 0.5 * (south - north)
    dxx = 0.25 * (east2 - 2 * centre + west2)
    dyy = 0.25 * (south2 - 2 * centre + north2)
    dxy = 0.25 * (se - ne - sw + nw)
    determinant = dxx * dyy - dxy * dxy
    step = torch.stack((dxy * dy - dyy * dx, dxy * dx - dxx * dy))
    return step.div_(determinant).masked_fill_(determinant == 0, 0.0)
