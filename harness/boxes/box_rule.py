"""The interface of a box rule, and the boxes that it returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.geometry.extents import extents
from nmebench.geometry.resize import whole_pixels
from nmebench.protocol import Sampling

__all__ = ["BoxRule", "Boxes", "check_boxes", "rectangles", "square_boxes"]


@dataclass(frozen=True)
class Boxes:
    """One box per face: the part of the photograph that the network sees."""

    name: str
    """The rule's name."""
    source: str
    """The data that the box is made from, stored with every result: ``ground-truth landmarks`` leak the answer."""
    padding: float
    centre: NDArray[np.float64]
    """[N, 2] image px."""
    size: NDArray[np.float64]
    """[N, 2] width and height in image px, padding included."""
    sampling: Sampling
    """The resampling, one of :data:`nmebench.protocol.SAMPLINGS`."""

    def __repr__(self) -> str:
        """Return one line: the rule, the number of boxes, the padding and the resampling."""
        return f"<Boxes {self.name}: {len(self.centre)} faces, padding {self.padding:g}, {self.sampling}>"

    def for_input(self, input_size: tuple[int, int]) -> Boxes:
        """Return the boxes, grown around their centres to the aspect ratio of the network's input.

        Square boxes for a square input don't change. Source: ``_fix_aspect_ratio`` in
        mmpose/datasets/transforms/topdown_transforms.py of open-mmlab/mmpose.

        Args:
            input_size: (width, height) of the input, px.

        Example:
            >>> square = np.array([[90.0, 90.0]])
            >>> boxes = Boxes("rect", "detector", 1.25, centre=square, size=square, sampling="affine")
            >>> boxes.for_input((192, 256)).size.tolist()
            [[90.0, 120.0]]
        """
        aspect = input_size[0] / input_size[1]
        width, height = self.size.T
        grown = np.where(
            (width > height * aspect)[:, None],
            np.stack([width, width / aspect], axis=1),
            np.stack([height * aspect, height], axis=1),
        )
        return replace(self, size=grown)

    def resampled(self, sampling: Sampling | None) -> Boxes:
        """Return the boxes with another resampling, in whole pixels if it cuts them out.

        The boxes are those that the crops show, so that landmarks and pixels agree. A rule that has a resampling of
        its own keeps its boxes with it, because the rule defines both.

        Args:
            sampling: None keeps the rule's own.

        Example:
            >>> boxes = Boxes("rect", "detector", 1.25, np.array([[9.2, 9]]), np.array([[7.6, 8]]), sampling="affine")
            >>> boxes.resampled("resize").size.tolist()
            [[8.0, 8.0]]
        """
        if sampling is None or sampling == self.sampling:
            return self
        if sampling == "affine":
            return replace(self, sampling=sampling)
        centre, size = whole_pixels(self.centre, self.size)
        return replace(self, centre=centre, size=size, sampling=sampling)


class BoxRule(Protocol):
    """A rule that computes the box of every face of a dataset. Each rule is one file in ``harness/boxes/``."""

    name: ClassVar[str]
    """The name in the registry and in every result."""
    summary: ClassVar[str]
    """One line about the rule."""
    source: ClassVar[str]
    """The data that the box is made from."""

    @property
    def padding(self) -> float:
        """The factor on the box's side."""

    def __call__(self, dataset: Dataset) -> Boxes:
        """Compute the boxes.

        Raises:
            InputError: the dataset lacks data that the rule needs, or a face's box is empty.
        """


def rectangles(rule: BoxRule, dataset: Dataset, *, instead: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners of the annotations' rectangles, each ``[N, 2]`` image px.

    Args:
        rule: the rule that reads them.
        dataset: the faces.
        instead: the box that needs no rectangles, for the message.

    Raises:
        InputError: the dataset has no rectangles.
    """
    if dataset.rect is None:
        raise InputError(
            f"the box {rule.name!r} needs a rectangle of each face, which {dataset.format} of {dataset.name} doesn't "
            f"give; use --box {instead}, or annotations with one: WFLW's list_98pt_rect_attr_*.txt (official-attr), "
            "COFW's or LaPa's own files or mmpose's json of them, SPIGA's json, or 'box' in a json of your own"
        )
    return dataset.rect[:, :2], dataset.rect[:, 2:]


def square_boxes(
    rule: BoxRule,
    dataset: Dataset,
    *,
    centre: NDArray[np.float64],
    side: NDArray[np.float64],
    sampling: Sampling = "affine",
) -> Boxes:
    """Build the square boxes of a rule and check them.

    Args:
        rule: the rule that computed the boxes.
        dataset: the faces, for messages.
        centre: ``[N, 2]`` image px.
        side: ``[N]`` image px, padding included.
        sampling: how the boxes are resampled.

    Raises:
        InputError: a box is empty or not finite; the message names the first such face.
    """
    boxes = Boxes(rule.name, rule.source, rule.padding, centre, np.stack([side, side], axis=1), sampling)
    check_boxes(boxes, dataset)
    return boxes


def check_boxes(boxes: Boxes, dataset: Dataset) -> None:
    """Check that every box has a size and a place.

    Args:
        boxes: the boxes of a rule.
        dataset: the faces.

    Raises:
        InputError: a box is empty or not finite; the message names the first such face, and tells whether its
            annotation or the rule has to be corrected.
    """
    good = np.isfinite(boxes.centre).all(1) & np.isfinite(boxes.size).all(1) & (boxes.size > 0).all(1)
    if good.all():
        return
    face = int(np.argmin(good))
    file = dataset.files[0].name if dataset.files else dataset.spec
    width, height = boxes.size[face]
    state = "empty" if np.isfinite(boxes.centre[face]).all() and np.isfinite(boxes.size[face]).all() else "not finite"
    way_out = "correct the line or use another box"
    if _annotation_has_a_size(dataset, face):
        way_out = "its annotation is not, so correct the rule or use another box"
    raise InputError(
        f"{file}:{int(dataset.lines[face])}: the box {boxes.name!r} of this face is {state} "
        f"({width:g} x {height:g} px): {way_out}"
    )


def _annotation_has_a_size(dataset: Dataset, face: int) -> bool:
    """True if the landmarks, rectangle and scale of a face are finite and not empty, as far as they are annotated."""
    low, high = extents(dataset.landmarks[[face]])
    sides = [*(high - low)[0]]
    if dataset.rect is not None:
        sides += [*(dataset.rect[face, 2:] - dataset.rect[face, :2])]
    if dataset.centre_scale is not None:
        sides.append(dataset.centre_scale[face, 2])
    return bool(np.isfinite(sides).all() and (np.asarray(sides) > 0).all())
