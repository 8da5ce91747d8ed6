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
"""The blurred, rescaled distribution is cut to this range before the logarithm."""


class SimccDark(Simcc):
    """SimCC with one Newton step on the logarithm of each blurred distribution.

    The blur is over whole distributions, which are short. mmpose chooses the kernel from the training sigma, in bins,
    as int((20 * sigma - 7) // 3) made odd by taking 1 off: 37 for SimCC's sigma of 6.
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
        """The maximum's bin plus the step."""
        length = bins.shape[1]
        smooth = self._blur.rows(bins)
        smooth.mul_((score / smooth.amax(dim=1))[:, None])
        steps = torch.arange(-2, 3, device=bins.device)
        logs = smooth.gather(1, (at[:, None] + steps).clamp_(0, length - 1)).to(torch.float64)
        before2, before, here, after, after2 = logs.clamp_(FLOOR, CEILING).log_().unbind(dim=1)
        bend = 0.25 * (after2 - 2 * here + before2) + 1e-9
        return at - 0.5 * (after - before) / bend
