"""A model card's input (``[input]``)."""

from __future__ import annotations

from typing import Literal

from nmebench.models.card_table import CardTable, Name, Positive, Side, Triple
from nmebench.protocol import CropConvention

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "Input"]


IMAGENET_MEAN: Triple = (123.675, 116.28, 103.53)
IMAGENET_STD: Triple = (58.395, 57.12, 57.375)


class Input(CardTable):
    """The input that the network reads."""

    size: tuple[Side, Side] = (256, 256)
    """Width, height in px."""
    box: Name = "landmarks"
    """Name of the box rule that places the crop (``nmebench.boxes``)."""
    convention: CropConvention = "stride"
    """Sampling of the crop; ``udp`` if the network was trained with unbiased data processing (mmpose's ``use_udp``)."""
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: Triple = IMAGENET_MEAN
    """Mean of each channel in the order of ``colour``, in 0..255."""
    std: tuple[Positive, Positive, Positive] = IMAGENET_STD
    """Standard deviation of each channel in the order of ``colour``, in 0..255."""
