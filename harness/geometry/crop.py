"""Crops: resample a box of a photograph to the network's input, and normalise it.

``affine`` follows ``TopdownAffine`` of open-mmlab/mmpose 1.x (mmpose/datasets/transforms/topdown_transforms.py with
mmpose/structures/bbox/transforms.py): three points in float32, ``cv2.getAffineTransform``, bilinear ``warpAffine``,
zeros outside. OpenCV 5 samples differently (8 to 11 % of the values change), so ``opencv < 5`` is required.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.errors import InputError
from nmebench.geometry.resize import cut, resize
from nmebench.geometry.warp import checked_box, warp_matrix
from nmebench.protocol import SAMPLINGS, Sampling
from nmebench.suggest import unknown

__all__ = ["Sampling", "crop", "normalise"]

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
        sampling: one of :data:`nmebench.protocol.SAMPLINGS`; all but ``affine`` cut out the box rounded to whole px
            and resize it (:mod:`nmebench.geometry.resize`).
        convention: of the warp (``affine`` only), one of :data:`nmebench.protocol.CROP_CONVENTIONS`; a resize shows
            the ``half-pixel`` map, whatever the landmarks of the network mean.

    Returns:
        ``[height, width, 3]`` uint8 BGR.

    Raises:
        InputError: the box is empty, not finite, larger than 32766 px, or has another aspect ratio than the input; or
            the sampling or the convention is unknown, or ``udp`` is asked of a resize.

    Example:
        >>> photograph = np.arange(10 * 10 * 3, dtype=np.uint8).reshape(10, 10, 3)
        >>> box = crop(photograph, centre=(5, 5), size=(4, 4), input_size=(4, 4))
        >>> bool((box == photograph[3:7, 3:7]).all())
        True
    """
    middle, extent = checked_box(centre, size)
    if sampling not in SAMPLINGS:
        raise InputError(unknown("sampling", sampling, SAMPLINGS))
    if sampling != "affine":
        if convention == "udp":
            raise InputError(f"a udp crop is a warp, and {sampling!r} is a resize: use the sampling 'affine'")
        return resize(cut(image, middle, extent), input_size, sampling)
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
