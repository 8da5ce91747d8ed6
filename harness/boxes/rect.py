"""The box from the rectangle that the annotations give: a face detector's in WFLW's official list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nmebench.boxes.box_rule import Boxes, rectangles, square_boxes
from nmebench.datasets.dataset import Dataset

__all__ = ["RectBox"]


@dataclass(frozen=True)
class RectBox:
    """A square around the file's rectangle ``x_min y_min x_max y_max``.

    centre = the rectangle's centre, side = max(x_max - x_min, y_max - y_min), times the padding. Source: the "P2"
    protocol of baoshengyu/H3R (expansion 1.25), without its ``+ 1`` on the side; for COFW and LaPa
    mmpose/datasets/datasets/face/{cofw,lapa}_dataset.py of open-mmlab/mmpose, which crop by ``bbox`` in the same way.
    """

    name: ClassVar[str] = "rect"
    summary: ClassVar[str] = "square around the rectangle in the annotations"
    source: ClassVar[str] = "the annotation file's rectangle"
    padding: float = 1.25

    def __call__(self, dataset: Dataset) -> Boxes:
        """Compute the boxes of all faces.

        Raises:
            InputError: the format has no rectangles, or one is empty.
        """
        low, high = rectangles(self, dataset, instead="landmarks")
        extent = high - low
        side = np.where((extent > 0).all(axis=1), extent.max(axis=1), 0.0) * self.padding
        return square_boxes(self, dataset, centre=(low + high) / 2, side=side)
