"""A z-buffer rasteriser for meshes of small triangles, vectorised over triangles of a like size.

Everything is float64 additions and products; no library whose rounding depends on the CPU takes part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.synthface.template import Array

Indices = npt.NDArray[np.int64]

_SIZES: Final = (2, 3, 4, 6, 8, 12, 16, 24, 40, 80, 160)
_DEPTH_STEPS: Final = 64.0
"""Depth is compared in 1/64 pixel; nearer by less counts as equal, and then the later triangle wins."""
_TRIANGLE_BITS: Final = 20


@dataclass(frozen=True)
class Fragments:
    """What is seen at each covered sample."""

    rows: Indices
    columns: Indices
    triangle: Indices
    weights: Array
    """[n, 3] barycentric weights of the triangle's corners at the sample."""


def rasterise(xyz: Array, triangles: Indices, height: int, width: int) -> Fragments:
    """Visible triangle at every sample; vertices [v, 3] in sample units, whole numbers being sample centres.

    Triangles that wind clockwise on screen (seen from behind) are left out.
    """
    corner = xyz[triangles]
    ax, ay, bx, by, cx, cy = (corner[:, i, j] for i in range(3) for j in range(2))
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    x0 = np.ceil(corner[..., 0].min(axis=1)).clip(0)
    x1 = np.floor(corner[..., 0].max(axis=1)).clip(max=width - 1)
    y0 = np.ceil(corner[..., 1].min(axis=1)).clip(0)
    y1 = np.floor(corner[..., 1].max(axis=1)).clip(max=height - 1)
    extent = np.maximum(x1 - x0, y1 - y0) + 1.0
    drawn = (area < -1e-9) & (x1 >= x0) & (y1 >= y0)
    buffer = np.full(height * width, -1, np.int64)
    smallest = 0
    for size in _SIZES:
        chosen = np.flatnonzero(drawn & (extent > smallest) & (extent <= size))
        smallest = size
        if len(chosen):
            _fill(buffer, corner[chosen], area[chosen], chosen, x0[chosen], y0[chosen], size, height, width)
    covered = np.flatnonzero(buffer >= 0)
    triangle = buffer[covered] & ((1 << _TRIANGLE_BITS) - 1)
    rows, columns = covered // width, covered % width
    weights = _weights(corner[triangle], area[triangle], columns.astype(float), rows.astype(float))
    return Fragments(rows, columns, triangle, np.stack(weights, axis=1))


def _weights(corner: Array, area: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    ax, ay, bx, by, cx, cy = (corner[:, i, j] for i in range(3) for j in range(2))
    a = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
    b = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
    return a, b, 1.0 - a - b


def _fill(
    buffer: Indices,
    corner: Array,
    area: Array,
    index: Indices,
    x0: Array,
    y0: Array,
    size: int,
    height: int,
    width: int,
) -> None:
    """Write depth and index, packed so that the larger number is the nearer triangle, into the buffer."""
    step = np.arange(size, dtype=float)
    x = x0[:, None, None] + step[None, None, :]
    y = y0[:, None, None] + step[None, :, None]
    ax, ay, bx, by, cx, cy = (corner[:, i, j][:, None, None] for i in range(3) for j in range(2))
    inverse = (1.0 / area)[:, None, None]
    a = ((bx - x) * (cy - y) - (by - y) * (cx - x)) * inverse
    b = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) * inverse
    c = 1.0 - a - b
    # A sample on a shared edge belongs to both neighbours: no gaps; the buffer keeps one of them.
    tiny = -1e-9
    inside = (a >= tiny) & (b >= tiny) & (c >= tiny) & (x < width) & (y < height)
    which, row, column = np.nonzero(inside)
    weight_a, weight_b, weight_c = a[inside], b[inside], c[inside]
    depth = weight_a * corner[which, 0, 2] + weight_b * corner[which, 1, 2] + weight_c * corner[which, 2, 2]
    steps = np.floor((depth + 8192.0) * _DEPTH_STEPS).astype(np.int64)
    place = (y0[which].astype(np.int64) + row) * width + x0[which].astype(np.int64) + column
    np.maximum.at(buffer, place, (steps << _TRIANGLE_BITS) | index[which])
