"""Crops by cutting out a box in whole pixels and resizing it, as the networks that don't warp are fed.

A resize aligns the edges of the pixels: output pixel j shows the box at ``(j + 0.5) * s / W - 0.5``, the ``half-pixel``
map of :class:`nmebench.geometry.Geometry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from nmebench.errors import InputError
from nmebench.geometry.warp import MAX_SIDE
from nmebench.protocol import Sampling

__all__ = ["cut", "resize", "whole_pixels"]

_OPENCV: Final[Mapping[str, int]] = MappingProxyType({"resize": cv2.INTER_LINEAR, "resize-area": cv2.INTER_AREA})

_PILLOW: Final[Mapping[str, PIL.Image.Resampling]] = MappingProxyType(
    {"pil-bilinear": PIL.Image.Resampling.BILINEAR, "pil-bicubic": PIL.Image.Resampling.BICUBIC}
)


def whole_pixels(
    centre: NDArray[np.float64], size: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return boxes rounded to whole pixels, as :func:`cut` cuts them out.

    Each edge is rounded to the nearest pixel (halves to the even one), as Pillow's ``Image.crop`` does, so a square may
    become one px wider than high; a side is at least 1 px.

    Args:
        centre: ``[..., 2]`` image px.
        size: ``[..., 2]`` image px.

    Returns:
        Centres and sizes whose edges are whole numbers; they don't change when they are rounded again.

    Example:
        >>> whole_pixels(np.array([10.2, 20.0]), np.array([7.6, 8.0]))
        (array([10., 20.]), array([8., 8.]))
    """
    low = np.rint(centre - size / 2)
    high = np.maximum(np.rint(centre + size / 2), low + 1)
    return (low + high) / 2, high - low


def cut(image: NDArray[np.uint8], centre: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Cut out a box in whole pixels, with zeros outside the photograph.

    Args:
        image: ``[H, W, 3]`` uint8.
        centre: ``[2]`` image px.
        size: ``[2]`` image px; rounded by :func:`whole_pixels`.

    Raises:
        InputError: a side is below half a pixel or above 32766 px.
    """
    middle, rounded = whole_pixels(centre, size)
    width, height = (int(value) for value in rounded)
    if min(np.rint(size)) < 1 or max(width, height) > MAX_SIDE:
        raise InputError(f"a box of {size[0]:g} x {size[1]:g} px can't be cut out: 1 to {MAX_SIDE} px are allowed")
    left, top = (int(value) for value in middle - rounded / 2)
    patch = np.zeros((height, width, 3), dtype=np.uint8)
    rows = slice(max(top, 0), min(top + height, image.shape[0]))
    columns = slice(max(left, 0), min(left + width, image.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = image[rows, columns]
    return patch


def resize(patch: NDArray[np.uint8], size: tuple[int, int], sampling: Sampling) -> NDArray[np.uint8]:
    """Resize an image.

    Args:
        patch: ``[h, w, 3]`` uint8.
        size: (width, height) of the result, px.
        sampling: one of :data:`nmebench.protocol.SAMPLINGS` except ``affine``.

    Returns:
        ``[height, width, 3]`` uint8: the bytes of ``cv2.resize`` or of ``PIL.Image.Image.resize``.

    Example:
        >>> resize(np.full((4, 4, 3), 9, np.uint8), (2, 2), "pil-bilinear")[0, 0].tolist()
        [9, 9, 9]
    """
    if sampling in _PILLOW:
        return np.asarray(PIL.Image.fromarray(patch).resize(size, _PILLOW[sampling]), dtype=np.uint8)
    return np.asarray(cv2.resize(patch, size, interpolation=_OPENCV[sampling]), dtype=np.uint8)
