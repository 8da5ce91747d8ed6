"""SimCC: a distribution over the bins of each axis, per landmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from nmebench.errors import InputError
from nmebench.models.card import Output
from nmebench.training.encodings.interface import Encoder

__all__ = ["SimccBins", "distributions", "divergence"]

# exp(-40) is 4e-18: far below float32's rounding of 1, and no denormal after division by the sum.
_LEAST = -40.0


@dataclass(frozen=True)
class SimccBins(Encoder):
    """A Gaussian of ``sigma`` bins around the landmark on each axis (Gaussian label smoothing); Kullback-Leibler loss.

    The bins divide the input at every input size: an input of ``size`` px has ``bins / size`` bins per px. A
    landmark has no weight where its 3-sigma window misses the bins of an axis (mmpose's rule).
    Source: Li et al., ECCV 2022, arXiv 2107.03332; mmpose 1.x ``mmpose/codecs/simcc_label.py`` and
    ``mmpose/models/losses/classification_loss.py`` (``KLDiscretLoss``). mmpose rounds the landmark to a bin first; here
    the Gaussian is at the exact position, as in the other encodings.
    """

    needs: ClassVar = ("simcc_x", "simcc_y")

    sigma: float
    bins: int

    def loss(self, outputs: Mapping[str, Tensor], landmarks: Tensor, *, size: int) -> Tensor:
        """Return the sum of the divergences of both axes, averaged over the landmarks."""
        logits = torch.stack([outputs[name].float() for name in self.needs], dim=2)  # [N, K, 2, bins]
        positions = landmarks.to(logits.device) * (self.bins / size)
        reach = 3 * self.sigma
        seen = ((positions >= -reach) & (positions <= self.bins - 1 + reach)).all(dim=-1)
        targets = distributions(positions, bins=self.bins, sigma=self.sigma)
        return (divergence(logits, targets).sum(dim=-1) * seen).mean()

    def decoder(self, size: int) -> str:
        """Return the decoder that takes the maximum of each axis."""
        split = self.bins / size
        return "simcc" if split == 2 else f"simcc:split={split:g}"

    def check(self, outputs: Mapping[str, Tensor], model: str) -> None:
        """Check the outputs and the number of bins.

        Raises:
            InputError: an output is missing, or the network has another number of bins.
        """
        super().check(outputs, model)
        lengths = [outputs[name].shape[-1] for name in self.needs]
        if lengths != [self.bins, self.bins]:
            raise InputError(f"{model} outputs {lengths} bins, but encoding.bins is {self.bins}; change one of them")

    def output(self) -> Output:
        """Return two distributions for each landmark."""
        return Output(kind="simcc")


def distributions(positions: Tensor, *, bins: int, sigma: float) -> Tensor:
    """Return a Gaussian over the bins, normalised to sum 1.

    Args:
        positions: ``[...]``, in bins; bin ``i`` is at ``i``.
        bins: number of bins.
        sigma: standard deviation, bins.

    Returns:
        ``[..., bins]`` float32; uniform for a position that is not finite.
    """
    positions = positions.to(torch.float32)
    grid = torch.arange(bins, dtype=torch.float32, device=positions.device)
    exponent = (grid - positions[..., None]).square().mul(-0.5 / sigma**2)
    exponent = exponent.nan_to_num(_LEAST, _LEAST, _LEAST).clamp(min=_LEAST)
    return F.normalize(exponent.exp(), p=1.0, dim=-1, eps=0.0)


def divergence(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of softmax(``logits``) from ``targets``.

    Both are ``[..., L]``; the result is ``[...]``, in nats.
    """
    return F.kl_div(F.log_softmax(logits, dim=-1), targets, reduction="none").sum(dim=-1)
