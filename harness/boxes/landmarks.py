"""The box around the landmarks, as in the HRNet csv and the mmpose json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nmebench.boxes.box_rule import Boxes, square_boxes
from nmebench.datasets.dataset import Dataset

__all__ = ["LandmarksBox"]


@dataclass(frozen=True)
class LandmarksBox:
    """A square around the ground-truth landmarks.

    centre = (floor(min) + ceil(max)) / 2, side = max over both axes of (ceil(max) - floor(min)), times the padding.
    Source: the centres and scales of HRNet/HRNet-Facial-Landmark-Detection's csv (``scale *= 1.25`` in
    lib/datasets/wflw.py) and of open-mmlab/mmpose's json (padding 1.25), before their rounding to two decimals.
    """

    name: ClassVar[str] = "landmarks"
    summary: ClassVar[str] = "square of the landmarks' extent in whole pixels, as HRNet and mmpose"
    source: ClassVar[str] = "ground-truth landmarks"
    padding: float = 1.25

    def __call__(self, dataset: Dataset) -> Boxes:
        """Compute the boxes of all faces.

        Raises:
            InputError: all landmarks of a face coincide.
        """
        first, last = dataset.extents
        low, high = np.floor(first), np.ceil(last)
        side = (high - low).max(axis=1) * self.padding
        return square_boxes(self, dataset, centre=(low + high) / 2, side=side)
