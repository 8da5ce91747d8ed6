"""The background of a picture and the clothed body below the head."""

from __future__ import annotations

import cv2
import numpy as np

from nmebench.synthface.camera import Camera
from nmebench.synthface.degrade import Picture
from nmebench.synthface.template import Array


def backdrop(rng: np.random.Generator, height: int, width: int) -> Array:
    """Draw a textured background ``[height, width, 3]`` in linear colours, on bytes, where OpenCV is exact."""
    corners = rng.integers(10, 230, size=(2, 2, 3), dtype=np.uint8)
    levels = _spread(corners, height, width).astype(np.int64)
    rough = rng.integers(0, 256, size=(int(rng.integers(3, 40)), int(rng.integers(3, 40)), 3), dtype=np.uint8)
    levels += ((_spread(rough, height, width).astype(np.int64) - 128) * int(rng.integers(5, 60))) // 100
    # Real rooms and streets are less saturated than uniformly random colours.
    grey = levels.sum(axis=2, keepdims=True) // 3
    levels = grey + (levels - grey) * int(rng.integers(10, 70)) // 100
    picture: Picture = np.clip(levels, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 9))):
        _shape(picture, rng)
    if rng.uniform() < 0.6:
        size = 2 * int(rng.integers(1, 9)) + 1
        picture = np.asarray(cv2.blur(picture, (size, size)), dtype=np.uint8)
    if rng.uniform() < 0.3:
        for _ in range(int(rng.integers(4, 16))):
            _bokeh(picture, rng)
    fine = rng.integers(-5, 6, size=(height, width, 1))
    linear: Array = np.square(np.clip(picture + fine, 0, 255) / 255.0)
    return linear


def _spread(cells: Picture, height: int, width: int) -> Picture:
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR_EXACT))


def _shape(picture: Picture, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    colour = (int(rng.integers(0, 200)) + rng.integers(0, 56, size=3)).tolist()
    x, y = int(rng.integers(width)), int(rng.integers(height))
    reach = max(height, width)
    kind = int(rng.integers(4))
    if kind == 0:
        corner = (x + int(rng.integers(10, reach)), y + int(rng.integers(10, reach)))
        cv2.rectangle(picture, (x, y), corner, colour, -1)
    elif kind == 1:
        cv2.circle(picture, (x, y), int(rng.integers(5, reach // 3)), colour, -1)
    elif kind == 2:
        end = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.line(picture, (x, y), end, colour, int(rng.integers(2, 14)))
    else:
        points = rng.integers(0, reach, size=(int(rng.integers(3, 6)), 2)).astype(np.int32)
        cv2.fillPoly(picture, [points], colour)


def _bokeh(picture: Picture, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    layer = picture.copy()
    centre = (int(rng.integers(width)), int(rng.integers(height)))
    cv2.circle(layer, centre, int(rng.integers(5, 28)), rng.integers(120, 256, size=3).tolist(), -1, cv2.LINE_8)
    strong = int(rng.integers(20, 70))
    picture[:] = ((100 - strong) * picture.astype(np.int64) + strong * layer.astype(np.int64)) // 100


def clothes(picture: Array, rng: np.random.Generator, camera: Camera) -> None:
    """Paint shoulders over the lower part of a linear picture."""
    height, width = picture.shape[:2]
    middle = camera.shift[0] + camera.scale * rng.uniform(-12.0, 12.0)
    top = camera.shift[1] + camera.scale * rng.uniform(150.0, 172.0)
    x = (np.arange(width)[None, :] - middle) / camera.scale
    y = (np.arange(height)[:, None] - top) / camera.scale
    slope = rng.uniform(0.25, 0.5)
    edge = np.maximum(slope * (np.abs(x) - 55.0), 0.0) + 0.004 * np.square(x) - 4.0
    cover = np.clip((y - edge) * camera.scale + 0.5, 0.0, 1.0) * np.clip((190.0 - np.abs(x)) / 3.0, 0.0, 1.0)
    colour = np.square(rng.uniform(0.05, 0.95, size=3))
    cloth = np.ones((height, width, 1)) * colour
    if rng.uniform() < 0.4:
        period = rng.uniform(8.0, 30.0)
        stripes = (((x + rng.uniform(-0.5, 0.5) * y) / period) % 1.0) < rng.uniform(0.2, 0.5)
        cloth = np.where(stripes[..., None], np.square(rng.uniform(0.05, 0.95, size=3)), cloth)
    fold = 0.8 + 0.2 * np.cos(np.clip(x / 60.0, -3.0, 3.0)) + 0.06 * np.sin(x / 9.0 + y / 14.0)
    picture += cover[..., None] * (cloth * fold[..., None] * 0.8 - picture)
