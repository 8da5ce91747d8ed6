"""Light on the scene and the exposure of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmebench.synthface.template import Array

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Light:
    """A key light, the sky light and the exposure."""

    direction: Array
    """[3] unit vector towards the lamp, in view axes."""
    key: float
    fill: float
    colour: Array
    """[3] B, G, R of the key light."""
    softness: float
    """Wrap of the light around the form, from 0 (hard) to 0.5."""
    edge: tuple[float, float, float] | None
    """A hard cast shadow: in frontal head coordinates the half-plane a x + b y > c is in shadow."""
    bars: float
    """Period of a striped shadow (a window blind) in head units; 0 for none."""
    exposure: float
    cast: Array
    """[3] gain of the whole picture's channels."""


def draw_light(rng: np.random.Generator, extreme: bool) -> Light:
    """Draw everyday light, or difficult light: from the side, with a cast shadow, too bright, too dark or coloured."""
    around, height = rng.uniform(-1.0, 1.0), rng.uniform(-0.9, 0.25)
    key, fill, softness, exposure = (
        rng.uniform(0.65, 0.9),
        rng.uniform(0.3, 0.5),
        rng.uniform(0.2, 0.45),
        rng.uniform(0.8, 1.2),
    )
    colour = 1.0 + rng.uniform(-0.08, 0.08, size=3)
    cast = 1.0 + rng.uniform(-0.06, 0.06, size=3)
    edge, bars = None, 0.0
    if extreme:
        kind = int(rng.integers(6))
        if kind in (0, 1):
            around = float(rng.choice([-1.0, 1.0])) * rng.uniform(1.3, 3.5)
            height, key, fill, softness = rng.uniform(-1.8, 1.2), rng.uniform(0.9, 1.3), rng.uniform(0.05, 0.16), 0.05
        if kind in (1, 2):
            angle = rng.uniform(0.0, 2.0 * np.pi)
            edge = (float(np.cos(angle)), float(np.sin(angle)), float(rng.uniform(-25.0, 45.0)))
            fill, key = rng.uniform(0.08, 0.2), rng.uniform(0.9, 1.2)
            bars = rng.uniform(18.0, 40.0) if rng.uniform() < 0.35 else 0.0
        if kind == 3:
            exposure = rng.uniform(2.2, 4.0)
        if kind == 4:
            exposure = rng.uniform(0.08, 0.25)
        if kind in (0, 5):
            strength = 0.75 if kind == 5 else 0.35
            cast = np.clip(1.0 + strength * rng.uniform(-1.0, 1.0, size=3), 0.2, 2.0)
            colour = np.clip(1.0 + strength * rng.uniform(-1.0, 0.6, size=3), 0.1, 2.0)
    direction = np.array([around, height, 1.0])
    direction /= np.sqrt(np.square(direction).sum())
    return Light(direction, key, fill, colour, softness, edge, bars, exposure, cast)


def shade(albedo: Singles, normals: Singles, gloss: Singles, shadowed: Singles, light: Light) -> Singles:
    """[n, 3] linear colours of surfaces with unit normals [n, 3]; `shadowed` [n] is 1 in full cast shadow."""
    lamp, colour = light.direction.astype(np.float32), light.colour.astype(np.float32)
    half = lamp + np.array([0.0, 0.0, 1.0], np.float32)
    half = half / np.sqrt(np.square(half).sum())
    open_to = np.float32(light.key) * (1.0 - shadowed)
    wrapped = np.maximum((_dot(normals, lamp) + light.softness) / (1.0 + light.softness), 0.0) * open_to
    sky = light.fill * (0.72 - 0.28 * normals[:, 1])
    shine = np.maximum(_dot(normals, half), 0.0)
    for _ in range(4):
        shine = shine * shine
    shine *= gloss * open_to
    lit: Singles = wrapped[:, None] * colour
    lit += sky[:, None]
    lit *= albedo
    lit += shine[:, None] * colour
    return lit


def _dot(vectors: Singles, axis: Singles) -> Singles:
    product: Singles = vectors[:, 0] * axis[0] + vectors[:, 1] * axis[1] + vectors[:, 2] * axis[2]
    return product


def cast_shadow(xy: Singles, light: Light) -> Singles:
    """``[n]`` depth of frontal head positions ``[n, 2]`` inside the cast shadow."""
    if light.edge is None:
        return np.zeros(len(xy), np.float32)
    a, b, c = light.edge
    across = a * xy[:, 0] + b * xy[:, 1] - c
    if light.bars:
        across = np.abs(across % light.bars - 0.5 * light.bars) - 0.25 * light.bars
    depth: Singles = np.clip(across / 1.6 + 0.5, 0.0, 1.0)
    return depth
