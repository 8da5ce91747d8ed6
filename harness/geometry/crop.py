"""Crops: resample a box of a photograph to the network's input, and normalise it.

``affine`` follows ``TopdownAffine`` of open-mmlab/mmpose 1.x (mmpose/datasets/transforms/topdown_transforms.py with
mmpose/structures/bbox/transforms.py): three points in float32, ``cv2.getAffineTransform``, bilinear ``warpAffine``,
zeros outside. OpenCV 5 samples differently (8 to 11 % of the values change), so ``opencv < 5`` is required.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.errors import InputError
from nmebench.geometry.geometry import MAX_SIDE, checked_box, warp_matrix
from nmebench.suggest import unknown

__all__ = ["Sampling", "crop", "normalise"]

Sampling = Literal["affine", "resize"]
"""``affine``: one bilinear warp, as mmpose; ``resize``: a whole-pixel crop, then a resize, as PFLD."""

SAMPLINGS: Final[tuple[Sampling, ...]] = get_args(Sampling)

COLOURS: Final = ("rgb", "bgr")
"""Channel orders of a network's input."""


def crop(
    image: NDArray[np.uint8],
    centre: ArrayLike,
    size: ArrayLike,
    input_size: tuple[int, int],
    sampling: Sampling = "affine",
    *,
    convention: str = "stride",
) -> NDArray[np.uint8]:
    """Resample a box to the network's input.

    Args:
        image: ``[H, W, 3]`` uint8 BGR.
        centre: ``[2]`` centre of the box, image px.
        size: ``[2]`` size of the padded box, image px.
        input_size: (width, height) of the input, px.
        sampling: ``affine``, or ``resize``: the whole-pixel box with zeros outside the photograph, then
            ``cv2.resize`` (bilinear), as data/SetPreparation.py of polarisZhao/PFLD-pytorch.
        convention: ``udp`` for the warp of networks trained with unbiased data processing (``affine`` only).

    Returns:
        ``[height, width, 3]`` uint8 BGR.

    Raises:
        InputError: the box is empty, not finite, larger than 32766 px, or has another aspect ratio than the input; or
            the sampling or the convention is unknown.

    Example:
        >>> photograph = np.arange(10 * 10 * 3, dtype=np.uint8).reshape(10, 10, 3)
        >>> box = crop(photograph, centre=(5, 5), size=(4, 4), input_size=(4, 4))
        >>> bool((box == photograph[3:7, 3:7]).all())
        True
    """
    middle, extent = checked_box(centre, size)
    if sampling == "resize":
        return _crop_and_resize(image, middle, extent, input_size)
    if sampling != "affine":
        raise InputError(unknown("sampling", sampling, SAMPLINGS))
    matrix = warp_matrix(middle, extent, input_size, convention=convention)
    return np.asarray(cv2.warpAffine(image, matrix, input_size, flags=cv2.INTER_LINEAR), dtype=np.uint8)


def normalise(
    crops: NDArray[np.uint8], mean: tuple[float, ...], std: tuple[float, ...], colour: str
) -> NDArray[np.float32]:
    """Convert crops to a network's input: ``(value - mean) / std``.

    Args:
        crops: ``[N, H, W, 3]`` uint8 BGR.
        mean: three values in 0..255, in the order of ``colour``.
        std: three values in 0..255, in the order of ``colour``.
        colour: ``rgb`` or ``bgr``, the network's channel order.

    Returns:
        ``[N, 3, H, W]`` float32, contiguous.

    Raises:
        InputError: the colour order is unknown, mean or std don't have three values, or a std is not positive.

    Example:
        >>> pixel = np.array([[[[10, 20, 30]]]], dtype=np.uint8)  # blue, green, red
        >>> normalise(pixel, mean=(5, 5, 5), std=(5, 5, 5), colour="rgb").ravel().tolist()
        [5.0, 3.0, 1.0]
    """
    if colour not in COLOURS:
        raise InputError(unknown("colour order", colour, COLOURS))
    if len(mean) != 3 or len(std) != 3 or not all(value > 0 for value in std):
        raise InputError(f"mean {tuple(mean)} and std {tuple(std)} must be three numbers each, std above 0")
    means, stds = np.asarray(mean, dtype=np.float32), np.asarray(std, dtype=np.float32)
    out = np.empty((len(crops), 3, *crops.shape[1:3]), dtype=np.float32)
    for channel in range(3):
        plane = out[:, channel]
        source = crops[..., 2 - channel if colour == "rgb" else channel]
        np.subtract(source, means[channel], out=plane, dtype=np.float32)
        np.divide(plane, stds[channel], out=plane)
    return out


def _crop_and_resize(
    image: NDArray[np.uint8],
    centre: NDArray[np.float64],
    size: NDArray[np.float64],
    input_size: tuple[int, int],
) -> NDArray[np.uint8]:
    """Cut out the whole-pixel box, with zeros outside the photograph, and resize it."""
    width, height = (int(value) for value in np.rint(size))
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise InputError(f"a box of {size[0]:g} x {size[1]:g} px can't be cut out: 1 to {MAX_SIDE} px are allowed")
    left, top = (int(value) for value in np.rint(centre - size / 2))
    patch = np.zeros((height, width, 3), dtype=np.uint8)
    rows = slice(max(top, 0), min(top + height, image.shape[0]))
    columns = slice(max(left, 0), min(left + width, image.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = image[rows, columns]
    return np.asarray(cv2.resize(patch, input_size), dtype=np.uint8)
