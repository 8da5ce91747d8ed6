"""A model card's input (``[input]``)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nmebench.models.card_table import CardTable, Name, Positive, Side, Triple
from nmebench.protocol import CropConvention, Sampling

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "ImageLayout", "Input"]

ImageLayout = Literal["nchw", "nhwc"]
"""Order of the dimensions of a batch of images: channels before or after height and width."""

IMAGENET_MEAN: Triple = (123.675, 116.28, 103.53)
IMAGENET_STD: Triple = (58.395, 57.12, 57.375)


class Input(CardTable):
    """The input that the network reads."""

    size: tuple[Side, Side] = (256, 256)
    """Width, height in px."""
    box: Name = "landmarks"
    """Name of the box rule that places the crop (``nmebench.boxes``)."""
    padding: Annotated[float, Field(gt=0, le=10)] | None = None
    """Factor on the side of that box; None for the box rule's own."""
    convention: CropConvention = "stride"
    """Map from the box to the input with which the network was trained; ``udp`` with unbiased data processing (mmpose's
    ``use_udp``), ``half-pixel`` if its labels were moved as a resize moves the pixels."""
    resample: Sampling | None = None
    """Resampling of the crop; None leaves it to the box rule (``resize`` for ``pfld``, else ``affine``)."""
    layout: ImageLayout | None = None
    """Order of the dimensions that the network reads; None takes it from an ONNX file, and is ``nchw`` otherwise."""
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: Triple = IMAGENET_MEAN
    """Mean of each channel in the order of ``colour``, in 0..255."""
    std: tuple[Positive, Positive, Positive] = IMAGENET_STD
    """Standard deviation of each channel in the order of ``colour``, in 0..255."""

    @model_validator(mode="after")
    def _convention_belongs_to_the_resampling(self) -> Input:
        if self.convention == "udp" and self.resample not in (None, "affine"):
            raise ValueError(f"convention = 'udp' is a warp: resample must be 'affine', not {self.resample!r}")
        return self
