"""The box from the centre and the scale in the csv and the json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nmebench.boxes.box_rule import Boxes, square_boxes
from nmebench.datasets.dataset import PIXELS_PER_SCALE, Dataset
from nmebench.errors import InputError

__all__ = ["AnnotationBox"]


@dataclass(frozen=True)
class AnnotationBox:
    """A square at the file's centre, with side 200 px x scale, times the padding.

    Source: lib/datasets/wflw.py of HRNet/HRNet-Facial-Landmark-Detection and
    mmpose/datasets/datasets/face/wflw_dataset.py of open-mmlab/mmpose (``pixel_std`` 200). mmpose warns that it uses
    an existing centre; it applies the padding as well, which the warning does not mention.
    """

    name: ClassVar[str] = "annotation"
    summary: ClassVar[str] = "the centre and scale in the HRNet csv or the mmpose json"
    source: ClassVar[str] = "the annotation file's centre and scale (made from ground-truth landmarks)"
    padding: float = 1.25

    def __call__(self, dataset: Dataset) -> Boxes:
        """Compute the boxes of all faces.

        Raises:
            InputError: the format has no scales, or one is not positive.
        """
        if dataset.centre_scale is None:
            has_neither = dataset.format in ("hrnet-csv", "mmpose-json")
            missing = f"this {dataset.format} has none" if has_neither else f"this is {dataset.format}"
            raise InputError(
                f"the box 'annotation' needs the centre and scale that hrnet-csv and mmpose-json carry; "
                f"{missing}: use --box landmarks or one of those files"
            )
        side = dataset.centre_scale[:, 2] * PIXELS_PER_SCALE * self.padding
        return square_boxes(self, dataset, centre=dataset.centre_scale[:, :2], side=side)
