"""Encodings of a landmark: the training targets, the loss, and the decoder that reads the trained network.

``gaussian`` (one heatmap), ``offset`` (a disc and two offset maps), ``simcc`` (one distribution for each axis).
"""

from __future__ import annotations

from nmebench.training.encodings.gaussian import GaussianMaps
from nmebench.training.encodings.interface import Encoder
from nmebench.training.encodings.offset import OffsetMaps
from nmebench.training.encodings.simcc import SimccBins
from nmebench.training.recipe import Recipe

__all__ = ["Encoder", "create"]


def create(made: Recipe) -> Encoder:
    """Return the encoder of a recipe's ``[encoding]`` and ``[loss]``."""
    wanted, loss = made.encoding, made.loss
    if wanted.kind == "simcc":
        return SimccBins(sigma=loss.sigma, bins=wanted.bins)
    if wanted.kind == "offset":
        return OffsetMaps(grid=wanted.grid, radius=wanted.radius, foreground=loss.foreground)
    return GaussianMaps(grid=wanted.grid, sigma=loss.sigma, foreground=loss.foreground)
