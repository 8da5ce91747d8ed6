"""Maps between heatmap px, input px and image px. All arithmetic is float64; no input is changed.

A pixel's centre has integer coordinates. The conventions of heatmap px differ between code bases:

``stride``
    ``input = heatmap * input_size / heatmap_size``: mmpose (0.x ``transform_preds``, 1.x ``MSRAHeatmap``).
``udp``
    ``input = heatmap * (input_size - 1) / (heatmap_size - 1)``: Huang et al., CVPR 2020, and mmpose's UDP codecs. Its
    crops are warped with ``crop.warp_matrix(..., convention="udp")``, hence another map to the image as well.
``hrnet``
    ``transform_pixel`` in lib/utils/transforms.py of HRNet/HRNet-Facial-Landmark-Detection: half a heatmap pixel is
    added, the point goes to the image, its fraction is dropped and 1 is added.
``half-pixel``
    ``input = (heatmap + 0.5) * input_size / heatmap_size - 0.5``: both grids cover the same square, as a resize with
    half-pixel centres does (``align_corners=False``).
"""

from __future__ import annotations

import difflib
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import InputError

__all__ = [
    "CONVENTIONS",
    "Convention",
    "check_convention",
    "flip_landmarks",
    "heatmap_to_input",
    "image_to_input",
    "input_to_heatmap",
    "input_to_image",
    "to_image",
]

Convention = Literal["stride", "udp", "hrnet", "half-pixel"]
CONVENTIONS: tuple[str, ...] = get_args(Convention)
Points = NDArray[np.float64]

#: What a convention adds to heatmap px before the scaling, and takes off input px after it.
_HALVES = {"hrnet": (0.5, 0.0), "half-pixel": (0.5, 0.5)}


def check_convention(convention: str) -> None:
    """InputError unless ``convention`` is one of CONVENTIONS."""
    if convention not in CONVENTIONS:
        near = difflib.get_close_matches(convention, CONVENTIONS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"unknown convention {convention!r}: known are {', '.join(CONVENTIONS)}{hint}")


def heatmap_to_input(
    landmarks: ArrayLike, *, convention: str, heatmap_size: tuple[int, int], input_size: tuple[int, int]
) -> Points:
    """Heatmap px to input px; both sizes are (width, height), ``landmarks`` is ``[..., 2]``.

    For ``hrnet`` this is the continuous part of the official chain (half a heatmap pixel added); its truncation
    happens in the image, see :func:`to_image`.
    """
    check_convention(convention)
    points = np.asarray(landmarks, dtype=np.float64)
    before, after = _HALVES.get(convention, (0.0, 0.0))
    return (points + before) * _stride(convention, heatmap_size, input_size) - after


def input_to_heatmap(
    landmarks: ArrayLike, *, convention: str, heatmap_size: tuple[int, int], input_size: tuple[int, int]
) -> Points:
    """Input px to heatmap px, the inverse of :func:`heatmap_to_input`."""
    check_convention(convention)
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
    """Input px to image px: ``input * size / input_size + centre - size / 2``.

    :param landmarks: ``[N, K, 2]`` (or ``[K, 2]`` with one centre and size).
    :param centre: ``[N, 2]`` of the boxes, image px.
    :param size: ``[N, 2]`` of the padded boxes, image px.
    :param convention: ``udp`` divides by ``input_size - 1``, as its crop does.
    """
    centres, sizes = _boxes(centre, size)
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
    """Image px to input px, the inverse of :func:`input_to_image`."""
    centres, sizes = _boxes(centre, size)
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
    """What a decoder gives, in heatmap px, to image px by the decoder's convention.

    :param landmarks: ``[N, K, 2]`` heatmap px.
    :param heatmap_size: (width, height) of the maps; ``input_size`` likewise of the crop.
    :param centre: ``[N, 2]``; ``size`` ``[N, 2]`` of the padded boxes, image px.
    :returns: ``[N, K, 2]``; whole numbers for ``hrnet``.
    :raises InputError: for an unknown convention.
    """
    points = heatmap_to_input(landmarks, convention=convention, heatmap_size=heatmap_size, input_size=input_size)
    image = input_to_image(points, input_size=input_size, centre=centre, size=size, convention=convention)
    return np.trunc(image) + 1.0 if convention == "hrnet" else image


def flip_landmarks(landmarks: ArrayLike, flip: NDArray[np.integer], width: int) -> Points:
    """The landmarks ``[..., K, 2]`` of the picture mirrored left to right: ``x -> width - 1 - x``, then renumbered.

    >>> flip_landmarks([[0.0, 5.0], [9.0, 6.0]], np.array([1, 0]), 10).tolist()
    [[0.0, 6.0], [9.0, 5.0]]
    """
    mirrored = np.array(landmarks, dtype=np.float64)[..., flip, :]
    mirrored[..., 0] = (width - 1) - mirrored[..., 0]
    return mirrored


def _stride(convention: str, heatmap_size: tuple[int, int], input_size: tuple[int, int]) -> Points:
    """[2] input px per heatmap px."""
    return _intervals(convention, input_size) / _intervals(convention, heatmap_size)


def _intervals(convention: str, size: tuple[int, int]) -> Points:
    """[2] what a side counts: its pixels, or the gaps between them for ``udp``."""
    check_convention(convention)
    return np.asarray(size, dtype=np.float64) - (1.0 if convention == "udp" else 0.0)


def _boxes(centre: ArrayLike, size: ArrayLike) -> tuple[Points, Points]:
    """Centres and sizes, shaped to broadcast against ``[N, K, 2]`` (or ``[K, 2]`` for a single box)."""
    return (
        np.expand_dims(np.asarray(centre, dtype=np.float64), -2),
        np.expand_dims(np.asarray(size, dtype=np.float64), -2),
    )
