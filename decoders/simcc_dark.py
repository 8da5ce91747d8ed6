"""SimCC refined by DARK in one dimension."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.blur import Blur
from nmebench.decoders.options import Option, as_int
from nmebench.decoders.simcc import Simcc

__all__ = ["SimccDark"]

FLOOR, CEILING = 1e-3, 50.0
"""The blurred, rescaled distribution is clamped to this range before the logarithm."""


class SimccDark(Simcc):
    """SimCC with one Newton step on the logarithm of each blurred distribution.

    Reads ``simcc_x`` ``[N, K, Lx]`` and ``simcc_y`` ``[N, K, Ly]``; landmarks ``[N, K, 2]`` are in input px, as for
    ``simcc``. It blurs complete distributions because they are short. mmpose chooses the kernel from the training
    sigma in bins as int((20 * sigma - 7) // 3), minus 1 if that is even: 37 for SimCC's sigma of 6.

    Raises:
        DecoderError: an option that is not allowed; on a call, an output that is missing or not of its shape.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> decoder = decoders.create("simcc-dark")
        >>> outputs = decoder.draw(torch.tensor([[[20.2, 30.7]]]), height=64, width=64)
        >>> decoder(outputs).landmarks.round(decimals=2)
        tensor([[[20.2000, 30.7000]]])
    """

    name: ClassVar = "simcc-dark"
    source: ClassVar = "mmpose 1.x mmpose/codecs/utils/refinement.py refine_simcc_dark"
    bound: ClassVar = 0.01
    schema: ClassVar = {
        **Simcc.schema,
        "kernel": Option(default=37, minimum=3, maximum=199, odd=True, doc="blur size, bins"),
    }

    def __init__(self, **options: object) -> None:
        """Check the options and compute the kernel."""
        super().__init__(**options)
        self._blur = Blur(as_int(self.options["kernel"]))

    def refine(self, bins: Tensor, at: Tensor, score: Tensor) -> Tensor:
        """Return the bin of each maximum plus the Newton step."""
        length = bins.shape[1]
        smooth = self._blur.rows(bins)
        smooth.mul_((score / smooth.amax(dim=1))[:, None])
        steps = torch.arange(-2, 3, device=bins.device)
        logs = smooth.gather(1, (at[:, None] + steps).clamp_(0, length - 1)).to(torch.float64)
        before2, before, here, after, after2 = logs.clamp_(FLOOR, CEILING).log_().unbind(dim=1)
        curvature = 0.25 * (after2 - 2 * here + before2) + 1e-9
        return at - 0.5 * (after - before) / curvature
