"""The centre and the scale that the csv and the json carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nmebench.boxes.box_rule import Boxes, checked
from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError

__all__ = ["AnnotationBox"]

PIXELS_PER_SCALE = 200.0


@dataclass(frozen=True)
class AnnotationBox:
    """A square at the file's centre, 200 px x scale, times the padding.

    Source: lib/datasets/wflw.py of HRNet/HRNet-Facial-Landmark-Detection and
    mmpose/datasets/datasets/face/wflw_dataset.py of open-mmlab/mmpose (``pixel_std`` 200; its warning that an
    existing centre is used does not say that the padding is applied too, which it is).
    """

    name: ClassVar[str] = "annotation"
    summary: ClassVar[str] = "the centre and scale in the HRNet csv or the mmpose json"
    source: ClassVar[str] = "the annotation file's centre and scale (made from ground-truth landmarks)"
    padding: float = 1.25

    def __call__(self, dataset: Dataset) -> Boxes:
        """The boxes of all faces; InputError when the format has no scales or one is not positive."""
        if dataset.centre_scale is None:
            raise InputError(
                f"the box 'annotation' needs the centre and scale that hrnet-csv and mmpose-json carry; "
                f"this is {dataset.format}: use --box landmarks or one of those files"
            )
        side = dataset.centre_scale[:, 2] * PIXELS_PER_SCALE * self.padding
        return checked(
            Boxes(
                name=self.name,
                source=self.source,
                padding=self.padding,
                centre=dataset.centre_scale[:, :2],
                size=np.stack([side, side], axis=1),
                sampling="affine",
            ),
            dataset,
        )
