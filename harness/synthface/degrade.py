"""Degradations of a picture by camera and file: blur, low resolution, noise and compression.

Every step works on bytes with integer arithmetic and keeps positions: kernels are symmetric, and resizing goes down
and up between the same pixel grids.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


def blurred(picture: Picture, rng: np.random.Generator, face: float) -> Picture:
    """Apply one strong degradation, scaled with the size of the face in px."""
    kind = int(rng.integers(4))
    if kind == 0:
        return motion(picture, rng.uniform(0.0, np.pi), rng.uniform(0.02, 0.06) * face)
    if kind == 1:
        return defocus(picture, max(1, round(rng.uniform(0.007, 0.022) * face)))
    if kind == 2:
        return coarse(picture, int(np.clip(round(face / rng.uniform(32.0, 75.0)), 2, 6)))
    return compressed(coarse(picture, 2) if rng.uniform() < 0.5 else picture, int(rng.integers(6, 22)))


def motion(picture: Picture, angle: float, length: float) -> Picture:
    """Motion blur: average along a segment centred on each pixel."""
    reach = max(1, round(length / 2.0))
    total = np.zeros(picture.shape, np.int64)
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    for step in range(-reach, reach + 1):
        x, y = reach + round(step * np.cos(angle)), reach + round(step * np.sin(angle))
        total += padded[y : y + height, x : x + width]
    count = 2 * reach + 1
    return ((total + reach) // count).astype(np.uint8)


def defocus(picture: Picture, radius: int) -> Picture:
    """Defocus blur: two box averages, which approximate a disc and are exact on bytes."""
    size = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.blur(cv2.blur(picture, size), size))


def coarse(picture: Picture, factor: int) -> Picture:
    """Low resolution: block means by an integer factor, then enlarged again."""
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((0, -height % factor), (0, -width % factor), (0, 0)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor, 3)
    total = blocks.sum(axis=(1, 3), dtype=np.int64)
    small = ((total + factor * factor // 2) // (factor * factor)).astype(np.uint8)
    whole = np.asarray(
        cv2.resize(small, (padded.shape[1], padded.shape[0]), interpolation=cv2.INTER_LINEAR_EXACT), dtype=np.uint8
    )
    return np.ascontiguousarray(whole[:height, :width])


def compressed(picture: Picture, quality: int) -> Picture:
    """Encode as JPEG and decode again."""
    return np.asarray(cv2.imdecode(jpeg(picture, quality), cv2.IMREAD_COLOR), dtype=np.uint8)


def jpeg(picture: Picture, quality: int) -> Picture:
    """Encode a picture as the bytes of a JPEG file."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f"OpenCV could not write a JPEG of {picture.shape}")
    return np.asarray(data, dtype=np.uint8)


def noisy(picture: Picture, rng: np.random.Generator, strength: int) -> Picture:
    """Sensor noise: add the sum of two uniform draws within +-strength grey levels."""
    grain = rng.integers(-strength, strength + 1, size=(2, *picture.shape), dtype=np.int16).sum(axis=0, dtype=np.int16)
    result: Picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    return result
