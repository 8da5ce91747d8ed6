"""The head's surface: a polar sheet for the face that closes behind into the skull.

Columns run from the face's centre out to its outline - the jaw curve below, the forehead above - and on round
the back to a pole. Seen from the front the sheet is a graph over (x, y), so a landmark's depth is found by
solving for its place in the sheet, exactly as the rasteriser will interpolate it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from nmebench.synthface.curves import through
from nmebench.synthface.shape import Identity
from nmebench.synthface.template import (
    CHIN,
    JAW,
    LEFT_PUPIL,
    NOSE_BASE,
    NOSE_LINE,
    POINTS,
    RIGHT_PUPIL,
    Array,
)

Indices = npt.NDArray[np.int64]

CENTRE: Final = np.array([0.0, 30.0])
JAW_STEPS: Final = 3
JAW_COLUMNS: Final = 32 * JAW_STEPS + 1
CHIN_COLUMN: Final = CHIN * JAW_STEPS
TOP_COLUMNS: Final = 47
COLUMNS: Final = JAW_COLUMNS + TOP_COLUMNS
FRONT_RINGS: Final = 48
BACK_RINGS: Final = 14
RINGS: Final = FRONT_RINGS + BACK_RINGS + 1
BACK_POLE_Z: Final = -160.0
RADIUS: Final = np.sin(0.5 * np.pi * np.arange(FRONT_RINGS + 1) / FRONT_RINGS)
"""[FRONT_RINGS + 1] a ring's distance from the centre, as a share of the outline's."""


@dataclass(frozen=True)
class Head:
    """A face's surface in head coordinates."""

    outline: Array
    """[COLUMNS, 3] the jaw curve, left to right of the image, then over the forehead and back."""
    surface: Array
    """[RINGS, COLUMNS, 3] ring 0 is the centre, FRONT_RINGS the outline, the last ring the pole."""
    smooth: Array
    """``[RINGS, COLUMNS, 3]`` the surface without nose and lips; the silhouette of the jaw contour comes from it."""


def build(points: Array, identity: Identity) -> Head:
    """The surface through the 98 frontal points [98, 3]."""
    outline = _outline(points, identity)
    spokes = outline[:, :2] - CENTRE
    rise = np.sqrt(np.maximum(1.0 - RADIUS**2, 0.0))[:, None]
    front = np.empty((FRONT_RINGS + 1, COLUMNS, 3))
    front[..., :2] = CENTRE + RADIUS[:, None, None] * spokes
    front[..., 2] = outline[:, 2] * (1.0 - rise) + 12.0 * rise
    soft = _correction(front, points, outline)
    smooth = np.concatenate([front, _back(outline)])
    smooth[: FRONT_RINGS + 1, :, 2] += soft
    surface = smooth.copy()
    surface[: FRONT_RINGS + 1, :, 2] += _nose(front, points, smooth) + _details(front, points)
    return Head(outline, surface, smooth)


def locate(outline: Array, xy: Array) -> tuple[Indices, Array, Array]:
    """Column and the two spoke weights of frontal positions [n, 2]: xy = centre + a spoke + b next spoke."""
    spokes = outline[:, :2] - CENTRE
    following = np.roll(spokes, -1, axis=0)
    area = spokes[:, 0] * following[:, 1] - spokes[:, 1] * following[:, 0]
    away = xy[:, None, :] - CENTRE
    first = (away[..., 0] * following[:, 1] - away[..., 1] * following[:, 0]) / area
    second = (spokes[:, 0] * away[..., 1] - spokes[:, 1] * away[..., 0]) / area
    column = np.argmax(np.minimum(first, second), axis=1)
    rows = np.arange(len(xy))
    return column, first[rows, column], second[rows, column]


def lift(head: Head, xy: Array) -> Array:
    """Lift frontal positions ``[n, 2]`` onto the drawn surface ``[n, 3]``, using its own triangles."""
    column, a, b = locate(head.outline, xy)
    radius = np.clip(a + b, 0.0, 1.0)
    ring = np.clip(np.searchsorted(RADIUS, radius, side="right") - 1, 0, FRONT_RINGS - 1)
    inner, outer = RADIUS[ring], RADIUS[ring + 1]
    following = (column + 1) % COLUMNS
    z = head.surface[..., 2]
    q00, q01, q10, q11 = z[ring, column], z[ring, following], z[ring + 1, column], z[ring + 1, following]
    # A quad is drawn as two triangles; both hold its inner end of this column and outer end of the next (see
    # `grid`). In the first, a = w00 inner + w10 outer and b = w11 outer, with weights that sum to one; in the
    # second, a = w00 inner and b = w01 inner + w11 outer.
    w11 = b / outer
    w10 = (a - (1.0 - w11) * inner) / (outer - inner)
    first = (1.0 - w10 - w11) * q00 + w10 * q10 + w11 * q11
    v00 = np.where(inner > 0.0, a / np.where(inner > 0.0, inner, 1.0), 0.0)
    v11 = (b - (1.0 - v00) * inner) / (outer - inner)
    second = v00 * q00 + (1.0 - v00 - v11) * q01 + v11 * q11
    return np.column_stack([xy, np.where((w10 >= 0.0) | (inner <= 0.0), first, second)])


def grid(rings: int, columns: int, closed: bool) -> Indices:
    """[n, 3] the triangles of a grid of vertices in ring-major order, wound to face outwards."""
    across = columns if closed else columns - 1
    ring, column = np.meshgrid(np.arange(rings - 1), np.arange(across), indexing="ij")
    following = (column + 1) % columns
    p00, p01 = ring * columns + column, ring * columns + following
    p10, p11 = p00 + columns, p01 + columns
    return np.stack([np.stack([p00, p10, p11], axis=-1), np.stack([p00, p11, p01], axis=-1)], axis=-2).reshape(-1, 3)


def grid_normals(surface: Array, closed: bool) -> Array:
    """[rings, columns, 3] unit normals by central differences along the grid."""
    along = np.empty_like(surface)
    along[1:-1] = surface[2:] - surface[:-2]
    along[0], along[-1] = surface[1] - surface[0], surface[-1] - surface[-2]
    ahead, behind = np.roll(surface, -1, axis=1), np.roll(surface, 1, axis=1)
    across = ahead - behind if closed else np.gradient(surface, axis=1)
    # All columns meet at a pole: use the direction across the next ring there.
    for pole, beside in ((0, 1), (-1, -2)):
        if np.abs(across[pole]).max() < 1e-9:
            across[pole] = across[beside]
    normals: Array = np.cross(across, along)
    normals /= np.maximum(np.sqrt(np.square(normals).sum(axis=-1, keepdims=True)), 1e-12)
    return normals


def _outline(points: Array, identity: Identity) -> Array:
    jaw = through(points[JAW], JAW_STEPS)
    left, right = jaw[0], jaw[-1]
    turn = np.pi * (np.arange(TOP_COLUMNS) + 1.0) / (TOP_COLUMNS + 1.0)
    half = (right[0] - left[0]) / 2.0
    x = (right[0] + left[0]) / 2.0 + half * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.8
    height = 112.0 * (1.0 + 0.03 * identity.face_length)
    y = (right[1] + left[1]) / 2.0 - height * np.sin(turn) ** 0.9
    z = (right[2] + left[2]) / 2.0 - 6.0 * np.sin(turn)
    return np.concatenate([jaw, np.stack([x, y, z], axis=1)])


def _back(outline: Array) -> Array:
    """[BACK_RINGS, COLUMNS, 3] from behind the outline to the pole."""
    angle = (0.5 * np.pi * np.arange(1, BACK_RINGS + 1) / BACK_RINGS)[:, None]
    back = np.empty((BACK_RINGS, len(outline), 3))
    back[..., :2] = CENTRE + np.cos(angle)[..., None] * (outline[:, :2] - CENTRE)
    back[..., 2] = outline[:, 2] + (BACK_POLE_Z - outline[:, 2]) * np.sin(angle)
    return back


def _correction(front: Array, points: Array, outline: Array) -> Array:
    """``[FRONT_RINGS + 1, COLUMNS]`` depth to add to the plain dome, interpolated smoothly between points."""
    used = np.ones(POINTS, bool)
    used[JAW] = used[NOSE_LINE] = False
    used[[RIGHT_PUPIL, LEFT_PUPIL]] = False
    known = points[used]
    column, a, b = locate(outline, known[:, :2])
    radius = np.clip(a + b, 0.0, 1.0)
    rise = np.sqrt(1.0 - radius**2)
    edge = (a * outline[column, 2] + b * outline[(column + 1) % COLUMNS, 2]) / np.maximum(radius, 1e-9)
    lacking = known[:, 2] - (edge * (1.0 - rise) + 12.0 * rise)
    far = np.square(front[:, :, None, 0] - known[:, 0]) + np.square(front[:, :, None, 1] - known[:, 1])
    weight = np.exp(far * (-1.0 / (2.0 * 13.0**2)))
    share: Array = (weight * lacking).sum(axis=2) / (weight.sum(axis=2) + 0.5)
    # The outline itself is not moved.
    share *= np.minimum(1.0, 6.0 * (1.0 - RADIUS))[:, None]
    return share


def _bump(front: Array, x: float, y: float, wide: float, high: float) -> Array:
    return np.exp(-0.5 * (np.square((front[..., 0] - x) / wide) + np.square((front[..., 1] - y) / high)))


def _nose(front: Array, points: Array, smooth: Array) -> Array:
    """Nose: the ridge from the bridge to the tip, the wings, and the steep underside."""
    line, base = points[NOSE_LINE], points[NOSE_BASE]
    x, y = front[..., 0], front[..., 1]
    column = smooth[: FRONT_RINGS + 1, JAW_COLUMNS + TOP_COLUMNS // 2]  # straight up from the centre
    under = smooth[: FRONT_RINGS + 1, CHIN_COLUMN]  # straight down
    midline = np.concatenate([column[::-1], under[1:]])
    beneath = np.interp(line[:, 1], midline[:, 1], midline[:, 2])
    heights = line[:, 2] - beneath
    foot = base[2, 1]
    knots_y = [line[0, 1] - 20.0, *line[:, 1], 0.5 * (line[3, 1] + foot), foot, foot + 5.0]
    knots_h = [0.0, *heights, 0.8 * heights[3], 0.34 * heights[3], 0.0]
    height = np.interp(y, knots_y, knots_h)
    half = abs(base[4, 0] - base[0, 0]) / 2.0
    width = np.interp(y, [-15.0, 0.0, line[1, 1], line[3, 1], foot], np.array([0.45, 0.42, 0.45, 0.62, 0.6]) * half)
    middle = np.interp(y, line[:, 1], line[:, 0])
    across = np.square((x - middle) / width)
    ridge: Array = height / (1.0 + 0.5 * across + 0.6 * across * across)
    right, left = (9.0 * _bump(front, side * 0.82 * half, foot - 6.5, 0.3 * half, 4.5) for side in (-1.0, 1.0))
    return ridge + (right + left)


def _details(front: Array, points: Array) -> Array:
    """Eyeballs, lips and chin: small compared with the head, but visible through shading."""
    depth = np.zeros(front.shape[:2])
    for eye, side in ((slice(60, 68), -1.0), (slice(68, 76), 1.0)):
        x, y = points[eye, 0].mean(), points[eye, 1].mean()
        depth += 4.0 * _bump(front, x, y, 10.0, 7.0)
        depth -= 4.5 * _bump(front, side * 17.0, y - 3.0, 5.0, 9.0)
        depth -= 2.5 * _bump(front, x + side * 4.0, y - 9.0, 14.0, 3.5)
        depth += 3.0 * _bump(front, side * 36.0, -24.0, 18.0, 6.0)
    for upper, lower in ((79, 90), (94, 85)):
        y = (points[upper, 1] + points[lower, 1]) / 2.0
        thick = abs(points[lower, 1] - points[upper, 1]) / 2.0 + 1.5
        depth += 3.2 * _bump(front, points[79, 0], y, 15.0, thick)
    chin = points[CHIN, 1]
    depth -= 3.5 * _bump(front, 0.0, 0.5 * (points[85, 1] + chin) - 8.0, 16.0, 5.0)
    depth += 5.0 * _bump(front, 0.0, chin - 16.0, 15.0, 9.0)
    return depth
