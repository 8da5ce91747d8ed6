"""From parts, atlas and light to a picture: rasterise, look colours up, shade, and average down."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.synthface.light import Light, cast_shadow, shade
from harness.synthface.raster import rasterise
from harness.synthface.skin import HEIGHT, LEFT, TEXELS, TOP, WIDTH
from harness.synthface.solids import Part
from harness.synthface.template import Array

SAMPLES: Final = 2
"""Samples a pixel along each axis."""


def render(parts: list[Part], atlas: Array, light: Light, height: int, width: int, grain: Array) -> tuple[Array, Array]:
    """Linear colours [height, width, 3], already weighted by the coverage [height, width] that comes with them."""
    # Sample k of an axis lies at image coordinate (k + 0.5) / SAMPLES - 0.5.
    offset = 0.5 * SAMPLES - 0.5
    xyz = np.concatenate([part.xyz for part in parts]) * SAMPLES
    xyz[:, :2] += offset
    starts = np.cumsum([0, *(len(part.xyz) for part in parts)])
    triangles = np.concatenate([part.triangles + start for part, start in zip(parts, starts, strict=False)])
    owner = np.repeat(np.arange(len(parts)), [len(part.triangles) for part in parts])
    seen = rasterise(xyz, triangles, height * SAMPLES, width * SAMPLES)
    corners = triangles[seen.triangle]
    part_of = owner[seen.triangle]

    def interpolate(values: Array) -> Array:
        return sum((values[corners[:, i]] * seen.weights[:, i, None] for i in range(3)), np.zeros(()))

    normals = interpolate(np.concatenate([part.normals for part in parts]))
    normals = normals / np.maximum(np.sqrt(np.square(normals).sum(axis=1, keepdims=True)), 1e-9)
    # The undersides of two-sided sheets are lit as what they look like: facing the viewer.
    normals *= np.where(normals[:, 2:] < 0.0, -1.0, 1.0)
    uv = interpolate(np.concatenate([part.uv for part in parts]))
    albedo = np.stack([part.colour for part in parts])[part_of]
    strength = np.array([part.grain for part in parts])[part_of]
    albedo = albedo * (1.0 + strength * grain_at(grain, uv))[:, None]
    painted = np.array([part.painted for part in parts])[part_of]
    albedo[painted] = sample(atlas, uv[painted])
    if any(part.glow is not None for part in parts):
        glow = np.concatenate([np.ones(len(p.xyz)) if p.glow is None else p.glow for p in parts])
        albedo *= interpolate(glow[:, None])
    gloss = np.array([part.gloss for part in parts])[part_of]
    shadowed = np.where(painted, cast_shadow(uv, light), 0.0)
    colours = shade(albedo, normals, gloss, shadowed, light)
    fine = np.zeros((height * SAMPLES, width * SAMPLES, 4))
    fine[seen.rows, seen.columns, :3] = np.clip(colours, 0.0, 4.0)
    fine[seen.rows, seen.columns, 3] = 1.0
    coarse = sum(fine[i::SAMPLES, j::SAMPLES] for i in range(SAMPLES) for j in range(SAMPLES)) / SAMPLES**2
    return coarse[..., :3], coarse[..., 3]


def sample(atlas: Array, xy: Array) -> Array:
    """[n, 3] the atlas at frontal head coordinates [n, 2], bilinear; texel centres are whole numbers."""
    x = np.clip((xy[:, 0] - LEFT) * TEXELS, 0.0, WIDTH - 1.001)
    y = np.clip((xy[:, 1] - TOP) * TEXELS, 0.0, HEIGHT - 1.001)
    column, row = x.astype(np.int64), y.astype(np.int64)
    across, down = (x - column)[:, None], (y - row)[:, None]
    place = row * WIDTH + column
    flat = atlas.reshape(-1, 3)
    upper = flat[place] + across * (flat[place + 1] - flat[place])
    lower = flat[place + WIDTH] + across * (flat[place + WIDTH + 1] - flat[place + WIDTH])
    return upper + down * (lower - upper)


def grain_at(grain: Array, uv: Array) -> Array:
    """[n] a tile of noise [h, w] in -1..1, repeated without interpolation."""
    height, width = grain.shape
    return grain[np.floor(uv[:, 1] * 2.0).astype(np.int64) % height, np.floor(uv[:, 0]).astype(np.int64) % width]
