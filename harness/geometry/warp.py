"""The matrices of mmpose's affine crops, with mmpose's own arithmetic, so that crops are bit-identical."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.errors import InputError
from nmebench.geometry.geometry import Geometry
from nmebench.protocol import CROP_CONVENTIONS
from nmebench.suggest import unknown

__all__ = ["MAX_SIDE", "checked_box", "warp_matrix"]

MAX_SIDE = 32766
"""OpenCV's warp and resize keep coordinates in 16 bits."""


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
        convention: ``udp`` gives ``get_udp_warp_matrix`` (float32), ``stride`` ``get_warp_matrix`` (float64),
            ``half-pixel`` the float64 matrix of :meth:`Geometry.image_to_input`, which mmpose doesn't have.

    Returns:
        ``[2, 3]``.

    Raises:
        InputError: the box has another aspect ratio than the input (see ``Boxes.for_input``), is empty or not finite,
            or the convention is unknown.

    Example:
        >>> warp_matrix((300, 200), (320, 320), (256, 256)).round(6).tolist()
        [[0.8, 0.0, -112.0], [0.0, 0.8, -32.0]]
    """
    if convention not in CROP_CONVENTIONS:
        raise InputError(unknown("crop convention", convention, CROP_CONVENTIONS))
    middle, extent = checked_box(centre, size)
    width, height = input_size
    if abs(extent[0] * height - extent[1] * width) > 1e-6 * extent[0] * height:
        raise InputError(
            f"a box of {extent[0]:g} x {extent[1]:g} px has another aspect ratio than the {width} x {height} input: "
            "grow it with Boxes.for_input first"
        )
    angle = np.deg2rad(rotation)
    if convention == "udp":
        return _udp_matrix(middle, extent, input_size, float(angle))
    if convention == "half-pixel":
        return Geometry([middle], [extent], input_size, crop="half-pixel").view_matrix(degrees=-rotation)
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


def checked_box(centre: ArrayLike, size: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check a box and return centre and size as float64 ``[2]``.

    Raises:
        InputError: the shapes are wrong, or the box is empty or not finite.
    """
    middle = np.asarray(centre, dtype=np.float64)
    extent = np.asarray(size, dtype=np.float64)
    if middle.shape != (2,) or extent.shape != (2,):
        raise InputError(f"a box has a centre [2] and a size [2], not {middle.shape} and {extent.shape}")
    if not (np.isfinite(middle).all() and np.isfinite(extent).all() and (extent > 0).all()):
        raise InputError(f"a box of centre {middle.tolist()} and size {extent.tolist()} is empty or not finite")
    return middle, extent


def _udp_matrix(
    centre: NDArray[np.float64], size: NDArray[np.float64], input_size: tuple[int, int], angle: float
) -> NDArray[np.float32]:
    """Compute mmpose's ``get_udp_warp_matrix``: the box's side maps to ``input_size - 1``; float32 throughout."""
    middle, extent = centre.astype(np.float32), size.astype(np.float32)
    scale = (np.asarray(input_size, dtype=np.float32) - 1) / extent
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=np.float32)
    shift = scale * (-(turn @ middle) + np.float32(0.5) * extent)
    return np.hstack([turn * scale[:, None], shift[:, None]]).astype(np.float32)
