"""Hair: a shell over the scalp, and a sheet behind the head for long hair."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nmebench.synthface.camera import Camera
from nmebench.synthface.head import BACK_RINGS, COLUMNS, FRONT_RINGS, Head, grid_normals
from nmebench.synthface.skin import HAIRS
from nmebench.synthface.solids import Part, sheet
from nmebench.synthface.template import Array


@dataclass(frozen=True)
class Hair:
    """A hairstyle, in head units."""

    colour: Array
    volume: float
    """Thickness over the scalp in head units; 0 is bald."""
    line: float
    """Height of the hairline over the forehead's middle (y, negative is up)."""
    peak: float
    """Distance by which the hairline recedes at the temples; negative for a fringe."""
    burns: float
    """Height (y) down to which the hair reaches in front of the ears."""
    length: float
    """Height (y) down to which long hair hangs; 0 for none."""
    curl: float
    parting: float


def draw_hair(rng: np.random.Generator) -> Hair:
    """Draw a hairstyle: short, long or bald, in a natural colour."""
    place = rng.uniform(0.0, len(HAIRS) - 1.001)
    low = int(place)
    colour = (HAIRS[low] + (place - low) * (HAIRS[low + 1] - HAIRS[low])) * rng.uniform(0.8, 1.2)
    bald = rng.uniform() < 0.08
    long = rng.uniform() < 0.42
    return Hair(
        colour=colour,
        volume=0.0 if bald else rng.uniform(4.0, 14.0) if not long else rng.uniform(7.0, 16.0),
        line=rng.uniform(-92.0, -62.0) if rng.uniform() < 0.8 else rng.uniform(-62.0, -42.0),
        peak=rng.uniform(-18.0, 22.0),
        burns=rng.uniform(-10.0, 30.0) if not long else rng.uniform(25.0, 70.0),
        length=rng.uniform(70.0, 190.0) if long and not bald else 0.0,
        curl=rng.uniform(0.0, 3.0) if rng.uniform() < 0.4 else rng.uniform(0.0, 0.8),
        parting=rng.uniform(-40.0, 40.0),
    )


def shell(head: Head, thickness: Array, camera: Camera, colour: Array, grain: float, gloss: float, uv: Array) -> Part:
    """A layer over the head; where its thickness is below zero it is under the skin and hidden."""
    surface = head.surface + grid_normals(head.smooth, closed=True) * thickness[..., None]
    part = sheet(surface, camera, colour, closed=True, grain=grain, gloss=gloss, uv=uv)
    above = (thickness > 0.0).reshape(-1)[part.triangles].any(axis=1)
    return replace(part, triangles=part.triangles[above])


def hair_parts(head: Head, hair: Hair, camera: Camera, rng: np.random.Generator) -> list[Part]:
    """The shell over the scalp and the sheet of long hair as mesh parts."""
    if hair.volume <= 0.0:
        return []
    x, y, z = (head.smooth[..., i] for i in range(3))
    sway = np.interp(np.arange(COLUMNS), np.linspace(0, COLUMNS, 30), rng.uniform(-3.0, 3.0, size=30))
    line = hair.line - hair.peak * np.square((x - 0.3 * hair.parting) / 60.0) + sway
    over = (line - y) / 9.0
    beside = np.minimum((-56.0 - z) / 7.0, (hair.burns - y + sway) / 8.0)
    behind = np.minimum((-96.0 - z) / 8.0, (80.0 - y) / 10.0)
    cover = np.clip(np.maximum(np.maximum(over, beside), behind), -0.3, 1.0)
    bumps = hair.curl * rng.uniform(-1.0, 1.0, size=cover.shape)
    crown = 1.0 + 0.5 * np.clip(-y / 100.0, 0.0, 1.0) - 0.35 * np.exp(-np.square((x - hair.parting) / 5.0)) * (y < -60)
    thickness = np.where(cover > 0, cover * hair.volume * crown + bumps * np.clip(2 * cover, 0, 1), 8.0 * cover)
    column = np.arange(COLUMNS)[None, :] * np.ones((FRONT_RINGS + BACK_RINGS + 1, 1))
    uv = np.stack([column * 2.4, head.smooth[..., 2] * 0.09], axis=-1)
    parts = [shell(head, thickness, camera, hair.colour, 0.55, 0.12, uv)]
    if hair.length > 0.0:
        parts.append(_curtain(hair, camera, rng))
    return parts


def _curtain(hair: Hair, camera: Camera, rng: np.random.Generator) -> Part:
    rings, columns = 24, 56
    angle = np.linspace(-1.95, 1.95, columns)[None, :]
    down = np.linspace(0.0, 1.0, rings)[:, None]
    wave = np.interp(np.arange(columns), np.linspace(0, columns, 14), rng.uniform(-1.0, 1.0, size=14))[None, :]
    ripple = (1.5 + 2.0 * hair.curl) * np.sin(6.0 * down + 3.0 * wave) * down
    radius = 84.0 + hair.volume * 0.6 + 9.0 * np.sin(np.pi * down) + ripple + 3.0 * wave
    x = radius * np.sin(angle)
    z = -85.0 - (radius * 0.85) * np.cos(angle) - 8.0 * down
    y = -40.0 + (hair.length + 40.0 + 9.0 * wave) * down * np.ones_like(angle)
    surface = np.stack([x, y, z], axis=-1)
    uv = np.stack(
        [np.arange(columns)[None, :] * 9.0 * np.ones((rings, 1)), down * 14.0 * np.ones((1, columns))], axis=-1
    )
    return sheet(surface, camera, hair.colour, closed=False, grain=0.6, gloss=0.08, both_sides=True, uv=uv)
