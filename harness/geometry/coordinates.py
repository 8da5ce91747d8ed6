"""Maps between heatmap px, input px and image px, in float64; no input is changed.

A pixel's centre has integer coordinates. Code bases differ in how heatmap px relate to input px:

``stride``
    ``input = heatmap * input_size / heatmap_size``: mmpose (0.x ``transform_preds``, 1.x ``MSRAHeatmap``).
``udp``
    ``input = heatmap * (input_size - 1) / (heatmap_size - 1)``: Huang et al., CVPR 2020, and mmpose's UDP codecs. Its
    crops are warped with ``crop.warp_matrix(..., convention="udp")``, so the map to the image differs as well.
``hrnet``
    ``transform_pixel`` in lib/utils/transforms.py of HRNet/HRNet-Facial-Landmark-Detection: half a heatmap pixel is
    added, the point is mapped to the image, its fraction is dropped and 1 is added.
``half-pixel``
    ``input = (heatmap + 0.5) * input_size / heatmap_size - 0.5``: both grids cover the same square, as a resize with
    half-pixel centres does (``align_corners=False``).

``docs/coordinates.md`` explains how the maps compose, with a worked example.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.errors import InputError
from nmebench.protocol import CONVENTIONS
from nmebench.suggest import unknown

__all__ = [
    "CONVENTIONS",
    "check_convention",
    "flip_landmarks",
    "heatmap_to_input",
    "image_to_input",
    "input_to_heatmap",
    "input_to_image",
    "to_image",
]

Points = NDArray[np.float64]

#: What a convention adds to heatmap px before scaling, and subtracts from input px after it.
_HALVES = {"hrnet": (0.5, 0.0), "half-pixel": (0.5, 0.5)}


def check_convention(convention: str) -> None:
    """Check the name of a convention.

    Raises:
        InputError: the name is not in CONVENTIONS.
    """
    if convention not in CONVENTIONS:
        raise InputError(unknown("convention", convention, CONVENTIONS))


def heatmap_to_input(
    landmarks: ArrayLike, *, convention: str, heatmap_size: tuple[int, int], input_size: tuple[int, int]
) -> Points:
    """Map heatmap px to input px.

    For ``hrnet`` this is the continuous part of the official chain (half a heatmap pixel added); the truncation happens
    in image px, see :func:`to_image`.

    Args:
        landmarks: ``[..., 2]`` heatmap px.
        convention: one of CONVENTIONS.
        heatmap_size: (width, height) of the maps.
        input_size: (width, height) of the crop.

    Returns:
        ``[..., 2]`` input px.

    Raises:
        InputError: the convention is unknown.

    Example:
        >>> sizes = {"heatmap_size": (64, 64), "input_size": (256, 256)}
        >>> heatmap_to_input([[36.25, 28.0]], convention="stride", **sizes).tolist()
        [[145.0, 112.0]]
        >>> heatmap_to_input([[63.0, 63.0]], convention="udp", **sizes).tolist()
        [[255.0, 255.0]]
    """
    points = np.asarray(landmarks, dtype=np.float64)
    before, after = _HALVES.get(convention, (0.0, 0.0))
    return (points + before) * _stride(convention, heatmap_size, input_size) - after


def input_to_heatmap(
    landmarks: ArrayLike, *, convention: str, heatmap_size: tuple[int, int], input_size: tuple[int, int]
) -> Points:
    """Map input px to heatmap px: the inverse of :func:`heatmap_to_input`.

    ``landmarks`` is ``[..., 2]`` input px, the result ``[..., 2]`` heatmap px; the other arguments are the same.

    Example:
        >>> sizes = {"heatmap_size": (64, 64), "input_size": (256, 256)}
        >>> input_to_heatmap([[145.0, 112.0]], convention="stride", **sizes).tolist()
        [[36.25, 28.0]]
    """
    points = np.asarray(landmarks, dtype=np.float64)
    before, after = _HALVES.get(convention, (0.0, 0.0))
    return (points + after) / _stride(convention, heatmap_size, input_size) - before


def input_to_image(
    landmarks: ArrayLike,
    *,
    input_size: tuple[int, int],
    centre: ArrayLike,
    size: ArrayLike,
    convention: str = "stride",
) -> Points:
    """Map input px to image px: ``input * size / input_size + centre - size / 2``.

    Args:
        landmarks: ``[N, K, 2]`` input px (or ``[K, 2]`` with one centre and size).
        input_size: (width, height) of the crop.
        centre: ``[N, 2]`` centres of the boxes, image px.
        size: ``[N, 2]`` sizes of the padded boxes, image px.
        convention: ``udp`` divides by ``input_size - 1``, as its crop does.

    Returns:
        Image px, in the shape of ``landmarks``.

    Raises:
        InputError: the convention is unknown.

    Example:
        >>> box = {"centre": [300.0, 200.0], "size": [320.0, 320.0]}
        >>> input_to_image([[145.0, 112.0]], input_size=(256, 256), **box).tolist()
        [[321.25, 180.0]]
    """
    centres, sizes = _broadcast_boxes(centre, size)
    points = np.asarray(landmarks, dtype=np.float64)
    return points * (sizes / _intervals(convention, input_size)) + (centres - sizes / 2)


def image_to_input(
    landmarks: ArrayLike,
    *,
    input_size: tuple[int, int],
    centre: ArrayLike,
    size: ArrayLike,
    convention: str = "stride",
) -> Points:
    """Map image px to input px: the inverse of :func:`input_to_image`.

    ``landmarks`` is ``[N, K, 2]`` image px (or ``[K, 2]``), the result has the same shape in input px; the other
    arguments are the same.

    Example:
        >>> box = {"centre": [300.0, 200.0], "size": [320.0, 320.0]}
        >>> image_to_input([[321.25, 180.0]], input_size=(256, 256), **box).tolist()
        [[145.0, 112.0]]
    """
    centres, sizes = _broadcast_boxes(centre, size)
    points = np.asarray(landmarks, dtype=np.float64)
    return (points - (centres - sizes / 2)) * (_intervals(convention, input_size) / sizes)


def to_image(
    landmarks: ArrayLike,
    *,
    convention: str,
    heatmap_size: tuple[int, int],
    input_size: tuple[int, int],
    centre: ArrayLike,
    size: ArrayLike,
) -> Points:
    """Map decoded landmarks from heatmap px to image px by the decoder's convention.

    Args:
        landmarks: ``[N, K, 2]`` heatmap px.
        convention: one of CONVENTIONS.
        heatmap_size: (width, height) of the maps.
        input_size: (width, height) of the crop.
        centre: ``[N, 2]`` centres of the boxes, image px.
        size: ``[N, 2]`` sizes of the padded boxes, image px.

    Returns:
        ``[N, K, 2]`` image px; whole numbers for ``hrnet``.

    Raises:
        InputError: the convention is unknown.

    Example:
        >>> box = {"heatmap_size": (64, 64), "input_size": (256, 256), "centre": [[300, 200]], "size": [[320, 320]]}
        >>> to_image([[[36.25, 28.0]]], convention="stride", **box).tolist()
        [[[321.25, 180.0]]]
        >>> to_image([[[36.25, 28.0]]], convention="hrnet", **box).tolist()
        [[[324.0, 183.0]]]
    """
    points = heatmap_to_input(landmarks, convention=convention, heatmap_size=heatmap_size, input_size=input_size)
    image = input_to_image(points, input_size=input_size, centre=centre, size=size, convention=convention)
    return np.trunc(image) + 1.0 if convention == "hrnet" else image


def flip_landmarks(landmarks: ArrayLike, flip: NDArray[np.integer], width: int) -> Points:
    """Return the landmarks of the image mirrored left to right: ``x -> width - 1 - x``, then renumbered.

    Args:
        landmarks: ``[..., K, 2]`` px.
        flip: ``[K]``, see :attr:`nmebench.geometry.scheme.Scheme.flip`.
        width: the image's width, px.

    Example:
        >>> flip_landmarks([[0.0, 5.0], [9.0, 6.0]], np.array([1, 0]), 10).tolist()
        [[0.0, 6.0], [9.0, 5.0]]
    """
    mirrored = np.array(landmarks, dtype=np.float64)[..., flip, :]
    mirrored[..., 0] = (width - 1) - mirrored[..., 0]
    return mirrored


def _stride(convention: str, heatmap_size: tuple[int, int], input_size: tuple[int, int]) -> Points:
    """Return [2] input px per heatmap px."""
    return _intervals(convention, input_size) / _intervals(convention, heatmap_size)


def _intervals(convention: str, size: tuple[int, int]) -> Points:
    """Return [2] the length of both sides: the number of pixels, or for ``udp`` of intervals between their centres."""
    check_convention(convention)
    return np.asarray(size, dtype=np.float64) - (1.0 if convention == "udp" else 0.0)


def _broadcast_boxes(centre: ArrayLike, size: ArrayLike) -> tuple[Points, Points]:
    """Return centres and sizes shaped to broadcast against ``[N, K, 2]`` (or ``[K, 2]`` for a single box)."""
    return (
        np.expand_dims(np.asarray(centre, dtype=np.float64), -2),
        np.expand_dims(np.asarray(size, dtype=np.float64), -2),
    )
