"""The texture atlas of a face over frontal (x, y): skin, eyes, brows, lips, age, beard and makeup.

The atlas is painted from the same curves that define the landmarks. Areas have analytic coverage instead of a polygon
filler's half-texel offsets, so every painted edge is exactly at its curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from nmebench.synthface.curves import graph
from nmebench.synthface.template import Array

Singles = npt.NDArray[np.float32]

TEXELS: Final = 2
"""Per head unit."""
LEFT: Final = -92
TOP: Final = -132
WIDTH: Final = 184 * TEXELS + 1
HEIGHT: Final = 300 * TEXELS + 1


@dataclass(frozen=True)
class Looks:
    """Colours are linear light in the image's own order, B, G, R, from 0 to 1."""

    skin: Array
    lip: Array
    iris: Array
    brow: Array
    brow_strength: float
    iris_radius: float
    pupil_radius: float
    blotches: float
    age: float
    beard: float
    freckles: float
    lash: float


@dataclass(frozen=True)
class Makeup:
    """Colour put on the face, linear B, G, R; strengths from 0 to 1."""

    lipstick: Array
    lipstick_strength: float
    shadow: Array
    shadow_strength: float
    liner: float
    blush: float
    paint: Array
    paint_kind: int
    """0 none, 1 cheek stripes, 2 a half-face, 3 a mask round the eyes, 4 spots."""


SKINS: Final = np.array(
    [
        [0.50, 0.62, 0.86],
        [0.40, 0.53, 0.80],
        [0.30, 0.43, 0.70],
        [0.19, 0.30, 0.54],
        [0.10, 0.17, 0.34],
        [0.055, 0.09, 0.19],
    ]
)
IRISES: Final = np.array(
    [[0.02, 0.04, 0.09], [0.03, 0.08, 0.16], [0.30, 0.22, 0.12], [0.12, 0.20, 0.14], [0.22, 0.22, 0.20]]
)
HAIRS: Final = np.array(
    [
        [0.012, 0.012, 0.014],
        [0.02, 0.03, 0.05],
        [0.04, 0.07, 0.13],
        [0.12, 0.24, 0.40],
        [0.04, 0.09, 0.30],
        [0.40, 0.42, 0.44],
    ]
)


def draw_looks(rng: np.random.Generator, hair: Array) -> Looks:
    """Skin, eyes and age; the brows follow the hair's colour."""
    tone = rng.uniform(0.0, len(SKINS) - 1.001)
    low = int(tone)
    skin = SKINS[low] + (tone - low) * (SKINS[low + 1] - SKINS[low])
    skin = skin * rng.uniform(0.93, 1.07, size=3)
    lip = skin * np.array([0.62, 0.52, 0.95]) * rng.uniform(0.75, 1.1)
    age = rng.uniform(0.0, 1.0) ** 2
    man = rng.uniform() < 0.5
    return Looks(
        skin=skin,
        lip=lip,
        iris=IRISES[int(rng.integers(len(IRISES)))] * rng.uniform(0.7, 1.3),
        brow=np.minimum(np.minimum(hair, 0.2) * 0.8, 0.4 * skin),  # always darker than the skin
        brow_strength=rng.uniform(0.45, 0.95),
        iris_radius=rng.uniform(6.2, 7.2),
        pupil_radius=rng.uniform(2.4, 3.6),
        blotches=rng.uniform(0.03, 0.1),
        age=age,
        beard=rng.choice([0.0, 0.0, 0.35, 0.6, 0.9]) * rng.uniform(0.7, 1.0) if man else 0.0,
        freckles=rng.uniform(0.0, 0.6) if rng.uniform() < 0.2 else 0.0,
        lash=rng.uniform(0.3, 0.7) if man else rng.uniform(0.5, 1.0),
    )


def draw_makeup(rng: np.random.Generator) -> Makeup:
    """Lipstick and eye shadow, sometimes with face paint."""
    vivid = np.array([[0.05, 0.03, 0.62], [0.12, 0.05, 0.45], [0.25, 0.12, 0.75], [0.05, 0.02, 0.25], [0.4, 0.1, 0.5]])
    shades = np.array([[0.35, 0.1, 0.25], [0.5, 0.3, 0.1], [0.03, 0.03, 0.04], [0.1, 0.3, 0.15], [0.08, 0.3, 0.6]])
    paints = np.array([[0.8, 0.8, 0.8], [0.7, 0.2, 0.05], [0.05, 0.05, 0.7], [0.05, 0.6, 0.1], [0.1, 0.7, 0.8]])
    return Makeup(
        lipstick=vivid[int(rng.integers(5))] * rng.uniform(0.7, 1.1),
        lipstick_strength=rng.uniform(0.65, 0.95),
        shadow=shades[int(rng.integers(5))],
        shadow_strength=rng.uniform(0.35, 0.9),
        liner=rng.uniform(0.5, 1.0),
        blush=rng.uniform(0.0, 0.6),
        paint=paints[int(rng.integers(5))],
        paint_kind=int(rng.integers(1, 5)) if rng.uniform() < 0.35 else 0,
    )


@dataclass(frozen=True)
class Window:
    """A rectangle of the atlas and the head coordinates of its texels' centres."""

    rows: slice
    columns: slice
    x: Array
    """[1, w]"""
    y: Array
    """[h, 1]"""


def window(x0: float, x1: float, y0: float, y1: float) -> Window:
    """The part of the atlas that covers the given head coordinates."""
    i0, i1 = (int(np.clip(round((v - LEFT) * TEXELS), 0, WIDTH)) for v in (x0, x1))
    j0, j1 = (int(np.clip(round((v - TOP) * TEXELS), 0, HEIGHT)) for v in (y0, y1))
    x = LEFT + np.arange(i0, i1) / TEXELS
    y = TOP + np.arange(j0, j1) / TEXELS
    return Window(slice(j0, j1), slice(i0, i1), x[None, :], y[:, None])


def around(points: Array, margin: float) -> Window:
    """The part of the atlas that holds the points [n, 2 or 3], and a margin in head units."""
    (x0, y0), (x1, y1) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return window(x0 - margin, x1 + margin, y0 - margin, y1 + margin)


def tint(atlas: Singles, where: Window, colour: Array, cover: Array) -> None:
    """Blend a colour (or an image of the window's size) over part of the atlas."""
    part = atlas[where.rows, where.columns]
    part += cover[..., None] * (colour - part)


def between(upper: Array, lower: Array, where: Window, soft: float = 1.0 / TEXELS) -> Array:
    """[h, w] coverage of the area between two landmark curves; `soft` is the edge's width in head units."""
    x = where.x[0]
    top, bottom = graph(upper, x), graph(lower, x)
    ends = np.minimum(x - min(upper[:, 0].min(), lower[:, 0].min()), max(upper[:, 0].max(), lower[:, 0].max()) - x)
    inside = np.clip((where.y - top) / soft + 0.5, 0.0, 1.0) * np.clip((bottom - where.y) / soft + 0.5, 0.0, 1.0)
    cover: Array = inside * np.clip(ends / soft + 0.5, 0.0, 1.0)
    return cover


def disc(where: Window, x: float, y: float, radius: float, soft: float) -> Array:
    """[h, w] coverage of a disc whose edge is `soft` head units wide."""
    distance = np.sqrt(np.square(where.x - x) + np.square(where.y - y))
    cover: Array = np.clip((radius - distance) / soft + 0.5, 0.0, 1.0)
    return cover


def glow(where: Window, x: float, y: float, wide: float, high: float) -> Array:
    """A soft round patch, 1 in the middle; a rational bell, cheaper than a Gaussian."""
    far = np.square((where.x - x) / wide) + np.square((where.y - y) / high)
    return 1.0 / np.square(1.0 + 0.5 * far)


def noise(rng: np.random.Generator, height: int, width: int, cell: float) -> Singles:
    """[height, width] smooth noise in -1..1 with features of `cell` texels."""
    coarse = rng.integers(0, 256, size=(int(height / cell) + 2, int(width / cell) + 2), dtype=np.uint8)
    fine = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR_EXACT))
    return fine.astype(np.float32) * np.float32(1.0 / 127.5) - np.float32(1.0)
