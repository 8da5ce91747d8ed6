"""What a network is trained to give for a landmark: targets, the loss against them, and the decoder that reads them.

``gaussian`` (one heatmap), ``offset`` (a disc and two offset maps), ``simcc`` (one distribution for each axis).
"""

from __future__ import annotations

from harness.training.encodings.gaussian import GaussianMaps
from harness.training.encodings.interface import Encoder
from harness.training.encodings.offset import OffsetMaps
from harness.training.encodings.simcc import SimccBins
from harness.training.recipe import Recipe

__all__ = ["Encoder", "create"]


def create(made: Recipe) -> Encoder:
    """The encoder that a recipe's ``[encoding]`` and ``[loss]`` name."""
    wanted, loss = made.encoding, made.loss
    if wanted.kind == "simcc":
        return SimccBins(sigma=loss.sigma, bins=wanted.bins)
    if wanted.kind == "offset":
        return OffsetMaps(grid=wanted.grid, radius=wanted.radius, foreground=loss.foreground)
    return GaussianMaps(grid=wanted.grid, sigma=loss.sigma, foreground=loss.foreground)
