"""DARK: distribution-aware coordinate representation (Zhang et al., CVPR 2020, section 3.2)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.blur import Blur
from nmebench.decoders.errors import DecoderError
from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import Maxima
from nmebench.decoders.options import Option, as_float, as_int

__all__ = ["Dark", "kernel_for", "newton_step"]

FLOOR = 1e-10
"""Smaller blurred values are raised to this before the logarithm, as in mmpose and the authors' code."""

OFFSETS = (
    (0, 0), (1, 0), (-1, 0), (2, 0), (-2, 0), (0, 1), (0, -1), (0, 2), (0, -2), (1, 1), (1, -1), (-1, 1), (-1, -1),
)  # fmt: skip
"""(dx, dy) of the 13 pixels that the Newton step reads."""


def kernel_for(sigma: float) -> int:
    """Return the odd kernel size whose sigma by OpenCV's rule is nearest to ``sigma``.

    Example:
        >>> kernel_for(2), kernel_for(3)
        (11, 17)
    """
    return max(3, 2 * round((sigma - 0.8) / 0.3 + 1) + 1)


class Dark(HeatmapDecoder):
    """DARK: one Newton step from the maximum on the logarithm of the blurred map.

    Reads heatmaps ``[N, K, H, W]``; landmarks are ``[N, K, 2]`` in heatmap px. The maximum is that of the unblurred
    map. Only maxima at least two pixels from every border are refined, as in the authors' code and both versions of
    mmpose. The step is not bounded unless ``max_step`` is given.

    The option ``path`` selects how much of a map is blurred:

    * ``whole`` blurs complete maps, rescales them to their old maximum and clamps at 1e-10, as mmpose does.
    * ``local`` blurs only the 13 pixels that are read; the rescaling adds a constant to the logarithm and cancels.
    * ``auto`` is ``local``, except where one of the 13 values is under the clamp: there the rescaling matters, so
      it blurs the complete map. ``whole`` and ``auto`` agree to rounding.

    ``counts`` also has ``steps_over_1px`` (steps longer than one pixel on an axis) and ``whole_map`` (maps that were
    blurred completely).

    Raises:
        DecoderError: an option that is not allowed, or both ``kernel`` and ``sigma``; on a call, heatmaps that are not
            a floating-point tensor ``[N, K, H, W]``.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> from nmebench.decoders.interface import gaussians
        >>> heatmaps = gaussians(torch.tensor([[[12.25, 9.5]]]), height=20, width=24, sigma=2.0)
        >>> decoded = decoders.create("dark")(heatmaps)
        >>> decoded.landmarks.round(decimals=2)
        tensor([[[12.2500,  9.5000]]])
        >>> decoded.counts
        {'empty': 0, 'invalid': 0, 'steps_over_1px': 0, 'whole_map': 0}
    """

    name: ClassVar = "dark"
    source: ClassVar = (
        "Zhang et al. CVPR 2020, arXiv 1910.06278, section 3.2; ilovepose/DarkPose lib/core/inference.py; "
        "mmpose 1.x mmpose/codecs/utils/refinement.py refine_keypoints_dark"
    )
    bound: ClassVar = 0.005
    count_names: ClassVar = ("steps_over_1px", "whole_map")
    schema: ClassVar = {
        "kernel": Option(
            default=11, minimum=3, maximum=99, odd=True, doc="blur size, px; 11 suits sigma 2, 17 sigma 3"
        ),
        "sigma": Option(default=None, kind=float, minimum=0.1, maximum=30.0, doc="blur sigma, px, instead of kernel"),
        "path": Option(default="auto", choices=("auto", "whole", "local"), doc="how much of a map is blurred"),
        "max_step": Option(
            default=None, kind=float, minimum=0.0, doc="largest step on each axis, px; longer ones are clamped"
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
        max_step = self.options["max_step"]
        self._max_step = None if max_step is None else as_float(max_step)

    @property
    def window_radius(self) -> int:
        """The largest offset (2 px) plus half the kernel."""
        return 0 if self._path == "whole" else self._blur.size // 2 + 2

    def refine(self, maps: Tensor, maxima: Maxima) -> tuple[Tensor, dict[str, int]]:
        """Return each maximum plus its Newton step, and the counts."""
        _, height, width = maps.shape
        inside = (maxima.x > 1) & (maxima.x < width - 2) & (maxima.y > 1) & (maxima.y < height - 2)
        inside &= maxima.valid
        values, complete = self._blur.values_for_log(maps, maxima, OFFSETS, inside, path=self._path, floor=FLOOR)
        step = newton_step(values.clamp_min_(FLOOR).log_()).masked_fill_(~inside, 0.0)
        long = int((step.abs() > 1.0).any(dim=0).sum())
        if self._max_step is not None:
            step = step.clamp(-self._max_step, self._max_step)
        return maxima.xy + step.t(), {"steps_over_1px": long, "whole_map": complete}


def newton_step(logs: Tensor) -> Tensor:
    """Return the step to the stationary point of the quadratic through 13 log values.

    Args:
        logs: ``[13, M]`` float64 at ``OFFSETS``.

    Returns:
        ``[2, M]`` (x, y), heatmap px; zero where the Hessian is singular.

    Example:
        >>> import torch
        >>> logs = torch.tensor([[-((dx - 0.25) ** 2) - (dy + 0.5) ** 2] for dx, dy in OFFSETS], dtype=torch.float64)
        >>> newton_step(logs)
        tensor([[ 0.2500],
                [-0.5000]], dtype=torch.float64)
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
