"""Render parts, atlas and light to a picture: rasterise, look up colours, shade, and average samples."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from nmebench.synthface.light import Light, cast_shadow, shade
from nmebench.synthface.raster import rasterise
from nmebench.synthface.skin import HEIGHT, LEFT, TEXELS, TOP, WIDTH
from nmebench.synthface.solids import Part
from nmebench.synthface.template import Array

Singles = npt.NDArray[np.float32]

SAMPLES: Final = 2
"""Samples per pixel along each axis."""


def render(
    parts: list[Part], atlas: Singles, light: Light, height: int, width: int, grain: Singles
) -> tuple[Array, Array]:
    """Linear colours [height, width, 3], already weighted by the coverage [height, width] that comes with them."""
    # Sample k of an axis is at image coordinate (k + 0.5) / SAMPLES - 0.5.
    offset = 0.5 * SAMPLES - 0.5
    xyz = np.concatenate([part.xyz for part in parts]) * SAMPLES
    xyz[:, :2] += offset
    starts = np.cumsum([0, *(len(part.xyz) for part in parts)])
    triangles = np.concatenate([part.triangles + start for part, start in zip(parts, starts, strict=False)])
    owner = np.repeat(np.arange(len(parts)), [len(part.triangles) for part in parts])
    seen = rasterise(xyz, triangles, height * SAMPLES, width * SAMPLES)
    corners = triangles[seen.triangle]
    part_of = owner[seen.triangle]
    # Single precision from here on: sums and products round alike on every CPU, and memory traffic halves.
    weights = seen.weights.astype(np.float32)
    values = np.concatenate([_vertex_values(part) for part in parts])
    at = values[corners[:, 0]] * weights[:, :1]
    at += values[corners[:, 1]] * weights[:, 1:2]
    at += values[corners[:, 2]] * weights[:, 2:]
    normals, uv = at[:, :3], at[:, 3:5]
    normals /= np.sqrt(np.square(normals[:, 0]) + np.square(normals[:, 1]) + np.square(normals[:, 2]) + 1e-9)[:, None]
    # Back faces of two-sided sheets are lit as if they faced the viewer.
    normals[normals[:, 2] < 0.0] *= -1.0
    painted = np.array([part.painted for part in parts])[part_of]
    strength = np.array([part.grain for part in parts], np.float32)[part_of]
    albedo = np.empty((len(at), 3), np.float32)
    albedo[painted] = sample(atlas, uv[painted])
    plain = ~painted
    tone = at[plain, 5] * (1.0 + strength[plain] * grain_at(grain, uv[plain]))
    albedo[plain] = np.stack([part.colour for part in parts]).astype(np.float32)[part_of[plain]] * tone[:, None]
    gloss = np.array([part.gloss for part in parts], np.float32)[part_of]
    shadowed = np.where(painted, cast_shadow(uv, light), np.float32(0.0))
    colours = shade(albedo, normals, gloss, shadowed, light)
    fine = np.zeros((height * SAMPLES, width * SAMPLES, 4), np.float32)
    fine[seen.rows, seen.columns, :3] = np.clip(colours, 0.0, 4.0)
    fine[seen.rows, seen.columns, 3] = 1.0
    rows = fine[0::SAMPLES] + fine[1::SAMPLES]
    coarse = (rows[:, 0::SAMPLES] + rows[:, 1::SAMPLES]).astype(float) / SAMPLES**2
    return coarse[..., :3], coarse[..., 3]


def _vertex_values(part: Part) -> Singles:
    """``[v, 6]`` values interpolated over triangles: normal, texture position and shade."""
    shade_of = np.ones(len(part.xyz)) if part.glow is None else part.glow
    return np.column_stack([part.normals, part.uv, shade_of]).astype(np.float32)


def sample(atlas: Singles, xy: Singles) -> Singles:
    """[n, 3] the atlas at frontal head coordinates [n, 2], bilinear; texel centres are whole numbers."""
    x = np.clip((xy[:, 0] - LEFT) * TEXELS, 0.0, WIDTH - 1.01)
    y = np.clip((xy[:, 1] - TOP) * TEXELS, 0.0, HEIGHT - 1.01)
    column, row = x.astype(np.int64), y.astype(np.int64)
    across, down = (x - column).astype(np.float32)[:, None], (y - row).astype(np.float32)[:, None]
    place = row * WIDTH + column
    flat = atlas.reshape(-1, 3)
    upper: Singles = flat[place]
    upper += across * (flat[place + 1] - upper)
    lower = flat[place + WIDTH]
    lower += across * (flat[place + WIDTH + 1] - lower)
    lower -= upper
    lower *= down
    upper += lower
    return upper


def grain_at(grain: Singles, uv: Singles) -> Singles:
    """[n] a repeated tile of noise [h, w] in -1..1, smooth from row to row: strands run along v."""
    height, width = grain.shape
    row = np.floor(uv[:, 1])
    down = uv[:, 1] - row
    column = np.floor(uv[:, 0]).astype(np.int64) % width
    upper = row.astype(np.int64) % height
    first, second = grain[upper, column], grain[(upper + 1) % height, column]
    value: Singles = first + down * (second - first)
    return value
