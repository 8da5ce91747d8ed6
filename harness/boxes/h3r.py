"""H3R's two boxes: around the landmarks (P1) and around the rectangle of the official list (P2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nmebench.boxes.box_rule import Boxes, BoxRule, rectangles, square_boxes
from nmebench.datasets.dataset import Dataset

__all__ = ["H3RLandmarksBox", "H3RRectBox"]


@dataclass(frozen=True)
class H3RLandmarksBox:
    """A square around the ground-truth landmarks (H3R's P1).

    ``side = padding * (max(width, height) + 1)`` with ``width = max - min``, and on each axis the origin is
    ``(min + max - side + 1) / 2``, not rounded. The crop is Pillow's: it rounds the corners to whole px and resizes
    bilinearly, but the landmarks are mapped by the box that isn't rounded. Source: baoshengyu/H3R, box P1 (expansion
    1.25).
    """

    name: ClassVar[str] = "h3r-landmarks"
    summary: ClassVar[str] = "square around the landmarks, cropped by Pillow, as H3R's P1"
    source: ClassVar[str] = "ground-truth landmarks"
    padding: float = 1.25

    def __call__(self, dataset: Dataset) -> Boxes:
        """Compute the boxes of all faces."""
        return _boxes(self, dataset, *dataset.extents)


@dataclass(frozen=True)
class H3RRectBox:
    """A square around the file's rectangle ``x_min y_min x_max y_max`` (H3R's P2).

    Side, origin and crop are those of :class:`H3RLandmarksBox`. Source: baoshengyu/H3R, box P2 (expansion 1.25).
    """

    name: ClassVar[str] = "h3r-rect"
    summary: ClassVar[str] = "square around the rectangle in the annotations, cropped by Pillow, as H3R's P2"
    source: ClassVar[str] = "the annotation file's rectangle"
    padding: float = 1.25

    def __call__(self, dataset: Dataset) -> Boxes:
        """Compute the boxes of all faces.

        Raises:
            InputError: the format has no rectangles, or one is empty.
        """
        return _boxes(self, dataset, *rectangles(self, dataset, instead="h3r-landmarks"))


def _boxes(rule: BoxRule, dataset: Dataset, low: NDArray[np.float64], high: NDArray[np.float64]) -> Boxes:
    """Return the squares around the extents ``[N, 2]``, image px."""
    extent = high - low
    side = np.where((extent > 0).all(axis=1), extent.max(axis=1) + 1, 0.0) * rule.padding
    return square_boxes(rule, dataset, centre=(low + high + 1) / 2, side=side, sampling="pil-bilinear")
