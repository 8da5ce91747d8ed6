"""From a photograph and a box to what the network sees.

``affine`` follows ``TopdownAffine`` of open-mmlab/mmpose 1.x (mmpose/datasets/transforms/topdown_transforms.py with
mmpose/structures/bbox/transforms.py): three points in float32, ``cv2.getAffineTransform``, bilinear ``warpAffine``,
zeros outside. OpenCV 5 samples differently (8 to 11 % of the values move), hence ``opencv < 5``.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.errors import InputError
from nmebench.geometry.coordinates import check_convention

__all__ = ["Sampling", "crop", "normalise", "warp_matrix"]

Sampling = Literal["affine", "resize"]
"""``affine``: one bilinear warp, as mmpose; ``resize``: a whole-pixel crop, then a resize, as PFLD."""

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
    """The box, resampled to the network's input.

    :param image: ``[H, W, 3]`` uint8 BGR.
    :param centre: ``[2]`` image px; ``size`` ``[2]`` of the padded box, image px.
    :param input_size: (width, height).
    :param sampling: ``affine``, or ``resize``: the whole-pixel box with zeros outside the photograph, then
        ``cv2.resize`` (bilinear), as data/SetPreparation.py of polarisZhao/PFLD-pytorch.
    :param convention: ``udp`` for the warp of networks trained with unbiased data processing (``affine`` only).
    :returns: ``[height, width, 3]`` uint8 BGR.
    :raises InputError: for a box that is empty, not finite, larger than 32766 px, or not of the input's shape.
    """
    middle, extent = _box(centre, size)
    if sampling == "resize":
        return _crop_and_resize(image, middle, extent, input_size)
    if sampling != "affine":
        raise InputError(f"unknown sampling {sampling!r}: known are affine, resize")
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
    """The 2 x 3 matrix from image px to input px, to the bit as mmpose 1.x computes it.

    :param rotation: degrees, as mmpose's ``bbox_rotation``.
    :param convention: ``udp`` gives ``get_udp_warp_matrix`` (float32), the others ``get_warp_matrix`` (float64).
    :raises InputError: when the box's shape is not the input's (see ``Boxes.for_input``).
    """
    check_convention(convention)
    middle, extent = _box(centre, size)
    width, height = input_size
    if abs(extent[0] * height - extent[1] * width) > 1e-6 * extent[0] * height:
        raise InputError(
            f"a box of {extent[0]:g} x {extent[1]:g} px has not the shape of the {width} x {height} input: "
            "grow it with Boxes.for_input first"
        )
    angle = np.deg2rad(rotation)
    if convention == "udp":
        return _udp_matrix(middle, extent, input_size, float(angle))
    # mmpose keeps boxes and points in float32 before it solves for the matrix; doing so too makes crops equal.
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
    """Crops as a network wants them: ``(value - mean) / std``.

    :param crops: ``[N, H, W, 3]`` uint8 BGR.
    :param mean: three values in 0..255, in the order of ``colour``; ``std`` likewise.
    :param colour: ``rgb`` or ``bgr``, the network's channel order.
    :returns: ``[N, 3, H, W]`` float32, contiguous.
    :raises InputError: for another colour, or not three values, or a std that is not positive.
    """
    if colour not in ("rgb", "bgr"):
        raise InputError(f"unknown colour order {colour!r}: known are rgb, bgr")
    if len(mean) != 3 or len(std) != 3 or not all(value > 0 for value in std):
        raise InputError(f"mean {tuple(mean)} and std {tuple(std)} must be three numbers each, std above 0")
    means, stds = np.asarray(mean, dtype=np.float32), np.asarray(std, dtype=np.float32)
    out = np.empty((len(crops), 3, *crops.shape[1:3]), dtype=np.float32)
    for channel in range(3):
        plane = out[:, channel]
        taken = crops[..., 2 - channel if colour == "rgb" else channel]
        np.subtract(taken, means[channel], out=plane, dtype=np.float32)
        np.divide(plane, stds[channel], out=plane)
    return out


def _box(centre: ArrayLike, size: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and size as float64 ``[2]``, checked."""
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
    """The whole-pixel box, zeros outside the photograph, resized."""
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
    """mmpose's ``get_udp_warp_matrix``: the gaps between the box's pixels go to the input's; float32 throughout."""
    middle, extent = centre.astype(np.float32), size.astype(np.float32)
    scale = (np.asarray(input_size, dtype=np.float32) - 1) / extent
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=np.float32)
    shift = scale * (-(turn @ middle) + np.float32(0.5) * extent)
    return np.hstack([turn * scale[:, None], shift[:, None]]).astype(np.float32)
