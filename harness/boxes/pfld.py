"""PFLD's box in whole pixels around the landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nmebench.boxes.box_rule import Boxes, square_boxes
from nmebench.datasets.dataset import Dataset

__all__ = ["PfldBox"]


@dataclass(frozen=True)
class PfldBox:
    """A whole-pixel square around the ground-truth landmarks, cut out with zero padding and resized.

    ``xy = int(min)``, ``wh = int(max) - xy + 1``, ``centre = int(xy + wh / 2)``, ``side = int(max(wh) * 1.2)``,
    origin ``centre - side // 2``, where ``int`` drops the fraction. Source: data/SetPreparation.py of
    polarisZhao/PFLD-pytorch, which the PFLD family copies.
    """

    name: ClassVar[str] = "pfld"
    summary: ClassVar[str] = "whole-pixel square around the landmarks, crop and resize, as PFLD"
    source: ClassVar[str] = "ground-truth landmarks"
    padding: float = 1.2

    def __call__(self, dataset: Dataset) -> Boxes:
        """Compute the boxes of all faces.

        Raises:
            InputError: a face's side is below one pixel.
        """
        first, last = dataset.extents
        low = np.trunc(first)
        extent = np.trunc(last) - low + 1
        side = np.trunc(extent.max(axis=1) * self.padding)
        origin = np.trunc(low + extent / 2) - side[:, None] // 2
        return square_boxes(self, dataset, centre=origin + side[:, None] / 2, side=side, sampling="resize")
