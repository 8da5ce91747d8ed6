"""A z-buffer rasteriser for meshes of small triangles, vectorised over triangles of similar size.

It uses additions, products and quotients only, and no library whose rounding depends on the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from nmebench.synthface.template import Array

Indices = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

_SIZES: Final = (2, 3, 4, 6, 8, 12, 16, 24, 40, 80, 160)
_DEPTH_STEPS: Final = 64.0
"""Depth is compared in steps of 1/64 px; of two triangles at equal depth, the later one wins."""
_TRIANGLE_BITS: Final = 20


@dataclass(frozen=True)
class Fragments:
    """The visible triangle at each covered sample."""

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
    step = np.arange(size, dtype=np.float32)
    ax, ay, bx, by, cx, cy = (corner[:, i, j] for i in range(3) for j in range(2))

    def plane(start: Array, across: Array, down: Array) -> Singles:
        """A linear function on every triangle's block of samples: [triangles, size, size]."""
        rows: Singles = start.astype(np.float32)[:, None] + down.astype(np.float32)[:, None] * step
        return rows[:, :, None] + (across.astype(np.float32)[:, None] * step)[:, None, :]

    a_across, a_down = (by - cy) / area, (cx - bx) / area
    b_across, b_down = (cy - ay) / area, (ax - cx) / area
    a_start = ((bx - x0) * (cy - y0) - (by - y0) * (cx - x0)) / area
    b_start = ((cx - x0) * (ay - y0) - (cy - y0) * (ax - x0)) / area
    a, b = plane(a_start, a_across, a_down), plane(b_start, b_across, b_down)
    # A sample on a shared edge belongs to both neighbours: no gaps; the buffer keeps one of them. Single
    # precision decides only this; weights and depth are worked out in double.
    tiny = 1e-5
    which, row, column = np.nonzero((a >= -tiny) & (b >= -tiny) & (a + b <= 1.0 + tiny))
    # The last columns and rows of a block may reach past the picture.
    kept = (x0[which] + column < width) & (y0[which] + row < height)
    which, row, column = which[kept], row[kept], column[kept]
    depth = _depth(corner, a_start, b_start, (a_across, a_down), (b_across, b_down), which, row, column)
    steps = np.floor((depth + 8192.0) * _DEPTH_STEPS).astype(np.int64)
    place = (y0[which].astype(np.int64) + row) * width + x0[which].astype(np.int64) + column
    np.maximum.at(buffer, place, (steps << _TRIANGLE_BITS) | index[which])


def _depth(
    corner: Array,
    a: Array,
    b: Array,
    a_slope: tuple[Array, Array],
    b_slope: tuple[Array, Array],
    which: Indices,
    row: Indices,
    column: Indices,
) -> Array:
    """[n] depth at the covered samples, each triangle being a plane."""
    near, towards_a, towards_b = corner[:, 2, 2], corner[:, 0, 2] - corner[:, 2, 2], corner[:, 1, 2] - corner[:, 2, 2]
    start = near + a * towards_a + b * towards_b
    across = a_slope[0] * towards_a + b_slope[0] * towards_b
    down = a_slope[1] * towards_a + b_slope[1] * towards_b
    return start[which] + across[which] * column + down[which] * row
