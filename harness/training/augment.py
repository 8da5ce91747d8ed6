"""Random views of a training face: flip, rotation, scale, shift and colour, in one warp."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from nmebench.geometry import Geometry
from nmebench.training.recipe import Augmentation

__all__ = ["PLAIN", "AugmentedView", "apply", "matrix", "sample"]


@dataclass(frozen=True)
class AugmentedView:
    """One draw of the augmentation; the defaults give the test crop."""

    flip: bool = False
    degrees: float = 0.0
    """Rotation of the picture in degrees, positive from the x axis towards the y axis (clockwise on the screen)."""
    scale: float = 1.0
    """Factor of the box: above 1 the face gets smaller."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Shift of the box's centre, as a fraction of its side."""
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: float = 0.0
    """Grey levels."""


PLAIN = AugmentedView()


def sample(augmentation: Augmentation, rng: np.random.Generator) -> AugmentedView:
    """Draw a view. Every number is drawn under all settings, so that one setting does not change the others' draws."""
    coin, turn = rng.random(2)
    degrees, scale, *shift = np.clip(rng.standard_normal(4), -2, 2)
    *gain, offset = rng.uniform(-1, 1, 4)
    a = augmentation
    return AugmentedView(
        flip=bool(coin < a.flip),
        degrees=float(degrees * a.rotation) if turn < a.rotation_probability else 0.0,
        # mmpose clips the scale at one standard deviation and the rotation at two.
        scale=float(1 + np.clip(scale, -1, 1) * a.scale),
        shift=(float(shift[0] * a.shift), float(shift[1] * a.shift)),
        gain=(float(1 + gain[0] * a.colour), float(1 + gain[1] * a.colour), float(1 + gain[2] * a.colour)),
        offset=float(offset * a.colour * 127.5),
    )


def matrix(
    centre: NDArray[np.floating], side: float, *, input_size: int, view: AugmentedView = PLAIN
) -> NDArray[np.float64]:
    """The 2x3 map from image px to input px.

    Without augmentation it is the crop's own rule, ``input = (image - centre + side / 2) * input_size / side``;
    rotation, scale and shift act around the centre of the box; the flip comes last, as ``x -> input_size - 1 - x`` (as
    the flip test mirrors a tensor).

    Args:
        centre: ``[2]``, image px.
        side: the padded box's side, image px.
        input_size: the network's input side, input px.
        view: the drawn augmentation.
    """
    geometry = Geometry([centre], [[side, side]], (input_size, input_size))
    return geometry.view_matrix(degrees=view.degrees, zoom=view.scale, shift=view.shift, mirrored=view.flip)


def apply(
    image: NDArray[np.uint8],
    landmarks: NDArray[np.floating],
    *,
    centre: NDArray[np.floating],
    side: float,
    input_size: int,
    flip: NDArray[np.integer],
    view: AugmentedView = PLAIN,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Crop and augment a face.

    Args:
        image: ``[H, W, 3]`` uint8.
        landmarks: ``[K, 2]``, image px.
        centre: ``[2]`` of the padded box, image px.
        side: side of the padded box, image px.
        input_size: input px.
        flip: ``[K]``, the scheme's flip permutation.
        view: the drawn augmentation.

    Returns:
        the crop ``[input_size, input_size, 3]`` uint8 in the image's channel order, and landmarks ``[K, 2]`` in
        input px.
    """
    forward = matrix(centre, side, input_size=input_size, view=view)
    crop = cv2.warpAffine(image, forward, (input_size, input_size), flags=cv2.INTER_LINEAR)
    points = landmarks.astype(np.float64) @ forward[:, :2].T + forward[:, 2]
    if view.flip:
        points = points[flip]
    if view.gain != (1.0, 1.0, 1.0) or view.offset:
        # A table of 256 entries per channel: the arithmetic runs per grey level, not per pixel.
        grey = np.arange(256)[:, None] * np.asarray(view.gain) + view.offset
        table = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
        crop = cv2.LUT(crop, table[None])
    return np.asarray(crop, dtype=np.uint8), points.astype(np.float32)
