"""The values of a box rule, and what a rule is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.geometry.crop import Sampling

__all__ = ["BoxRule", "Boxes"]


@dataclass(frozen=True)
class Boxes:
    """One box a face: what the network is shown of the photograph."""

    name: str
    """The rule."""
    source: str
    """What the box is made from; ``ground-truth landmarks`` leak the answer and stand beside every number."""
    padding: float
    centre: NDArray[np.float64]
    """[N, 2] image px."""
    size: NDArray[np.float64]
    """[N, 2] width and height in image px, padding included."""
    sampling: Sampling
    """``affine``: bilinear warp as mmpose; ``resize``: whole-pixel crop, then a resize, as PFLD."""

    def for_input(self, input_size: tuple[int, int]) -> Boxes:
        """The boxes grown to the shape of a ``(width, height)`` input; square boxes for a square input stay.

        Source: ``_fix_aspect_ratio`` in mmpose/datasets/transforms/topdown_transforms.py of open-mmlab/mmpose.
        """
        aspect = input_size[0] / input_size[1]
        width, height = self.size.T
        grown = np.where(
            (width > height * aspect)[:, None],
            np.stack([width, width / aspect], axis=1),
            np.stack([height * aspect, height], axis=1),
        )
        return replace(self, size=grown)


class BoxRule(Protocol):
    """A rule that gives every face of a dataset its box. A rule is one file in ``harness/boxes/``."""

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]

    @property
    def padding(self) -> float:
        """The factor on the box's side."""

    def __call__(self, dataset: Dataset) -> Boxes:
        """The boxes; InputError when the dataset lacks what the rule needs or a face's box is empty."""


def checked(boxes: Boxes, dataset: Dataset) -> Boxes:
    """The boxes, or an InputError that names the first face whose box is empty or not finite."""
    good = np.isfinite(boxes.centre).all(1) & np.isfinite(boxes.size).all(1) & (boxes.size > 0).all(1)
    if not good.all():
        face = int(np.argmin(good))
        file = dataset.files[0].name if dataset.files else dataset.spec
        raise InputError(
            f"{file}:{int(dataset.lines[face])}: the box {boxes.name!r} of this face is empty "
            f"({boxes.size[face, 0]:g} x {boxes.size[face, 1]:g} px): correct the line or use another box"
        )
    return boxes
