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
from nmebench.geometry.coordinates import check_convention
from nmebench.suggest import unknown

__all__ = ["Sampling", "crop", "normalise", "warp_matrix"]

Sampling = Literal["affine", "resize"]
"""``affine``: one bilinear warp, as mmpose; ``resize``: a whole-pixel crop, then a resize, as PFLD."""

SAMPLINGS: Final[tuple[Sampling, ...]] = get_args(Sampling)

COLOURS: Final = ("rgb", "bgr")
"""Channel orders of a network's input."""

MAX_SIDE = 32766
"""OpenCV's warp and resize keep coordinates in 16 bits."""


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
    middle, extent = _box(centre, size)
    if sampling == "resize":
        return _crop_and_resize(image, middle, extent, input_size)
    if sampling != "affine":
        raise InputError(unknown("sampling", sampling, SAMPLINGS))
    matrix = warp_matrix(middle, extent, input_size, convention=convention)
    return np.asarray(cv2.warpAffine(image, matrix, input_size, flags=cv2.INTER_LINEAR), dtype=np.uint8)


def warp_matrix(
    centre: ArrayLike,
    size: ArrayLike,
    input_size: tuple[int, int],
    *,
    rotation: float = 0.0,
    convention: str = "stride",
) -> NDArray[np.float64] | NDArray[np.float32]:
    """Compute the matrix from image px to input px, bit-identical with mmpose 1.x.

    Args:
        centre: ``[2]`` centre of the box, image px.
        size: ``[2]`` size of the padded box, image px.
        input_size: (width, height) of the input, px.
        rotation: degrees, as mmpose's ``bbox_rotation``.
        convention: ``udp`` gives ``get_udp_warp_matrix`` (float32), the others ``get_warp_matrix`` (float64).

    Returns:
        ``[2, 3]``.

    Raises:
        InputError: the box has another aspect ratio than the input (see ``Boxes.for_input``), is empty or not finite,
            or the convention is unknown.

    Example:
        >>> warp_matrix((300, 200), (320, 320), (256, 256)).round(6).tolist()
        [[0.8, 0.0, -112.0], [0.0, 0.8, -32.0]]
    """
    check_convention(convention)
    middle, extent = _box(centre, size)
    width, height = input_size
    if abs(extent[0] * height - extent[1] * width) > 1e-6 * extent[0] * height:
        raise InputError(
            f"a box of {extent[0]:g} x {extent[1]:g} px has another aspect ratio than the {width} x {height} input: "
            "grow it with Boxes.for_input first"
        )
    angle = np.deg2rad(rotation)
    if convention == "udp":
        return _udp_matrix(middle, extent, input_size, float(angle))
    # mmpose keeps boxes and points in float32 before it solves for the matrix; the same here makes crops equal.
    middle, extent = middle.astype(np.float32), extent.astype(np.float32)
    arm = float(extent[0]) * -0.5
    source = np.zeros((3, 2), dtype=np.float32)
    source[0] = middle
    source[1] = middle + np.array([arm * np.cos(angle), arm * np.sin(angle)])
    target = np.zeros((3, 2), dtype=np.float32)
    target[0] = [width * 0.5, height * 0.5]
    target[1] = [width * 0.5 + width * -0.5, height * 0.5]
    for corners in (source, target):
        across = corners[0] - corners[1]
        corners[2] = corners[1] + np.array([-across[1], across[0]], dtype=np.float32)
    return np.asarray(cv2.getAffineTransform(source, target), dtype=np.float64)


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


def _box(centre: ArrayLike, size: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check a box and return centre and size as float64 ``[2]``."""
    middle = np.asarray(centre, dtype=np.float64)
    extent = np.asarray(size, dtype=np.float64)
    if middle.shape != (2,) or extent.shape != (2,):
        raise InputError(f"a box has a centre [2] and a size [2], not {middle.shape} and {extent.shape}")
    if not (np.isfinite(middle).all() and np.isfinite(extent).all() and (extent > 0).all()):
        raise InputError(f"a box of centre {middle.tolist()} and size {extent.tolist()} is empty or not finite")
    return middle, extent


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


def _udp_matrix(
    centre: NDArray[np.float64], size: NDArray[np.float64], input_size: tuple[int, int], angle: float
) -> NDArray[np.float32]:
    """Compute mmpose's ``get_udp_warp_matrix``: the box's side maps to ``input_size - 1``; float32 throughout."""
    middle, extent = centre.astype(np.float32), size.astype(np.float32)
    scale = (np.asarray(input_size, dtype=np.float32) - 1) / extent
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=np.float32)
    shift = scale * (-(turn @ middle) + np.float32(0.5) * extent)
    return np.hstack([turn * scale[:, None], shift[:, None]]).astype(np.float32)
