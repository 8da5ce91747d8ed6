"""Meshes of simple solids: neck, ears, hands, glasses and hats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmebench.synthface.camera import Camera, turn
from nmebench.synthface.head import Indices, grid, grid_normals
from nmebench.synthface.template import Array


@dataclass(frozen=True)
class Part:
    """A mesh in view coordinates (pixels, depth in pixels) with one kind of surface."""

    xyz: Array
    """[v, 3]"""
    normals: Array
    """[v, 3] unit, in view axes."""
    uv: Array
    """[v, 2] frontal head coordinates where `painted`, else coordinates for the grain."""
    triangles: Indices
    """[t, 3]"""
    colour: Array
    """[3] linear B, G, R."""
    grain: float = 0.05
    """Strength of the surface's texture."""
    gloss: float = 0.0
    painted: bool = False
    """True where the face's atlas gives the colour."""
    glow: npt.NDArray[np.float64] | None = None
    """[v] optional per-vertex factor on the colour (shade in folds)."""


def sheet(
    surface: Array,
    camera: Camera,
    colour: Array,
    *,
    closed: bool,
    grain: float = 0.05,
    gloss: float = 0.0,
    both_sides: bool = False,
    uv: Array | None = None,
    glow: Array | None = None,
) -> Part:
    """A grid [rings, columns, 3] in head coordinates as a part."""
    rings, columns = surface.shape[:2]
    triangles = grid(rings, columns, closed)
    if both_sides:
        triangles = np.concatenate([triangles, triangles[:, ::-1]])
    if uv is None:
        across, along = np.meshgrid(np.arange(columns) * 1.0, np.arange(rings) * 1.0)
        uv = np.stack([across, along], axis=-1)
    normals = turn(grid_normals(surface, closed), camera.rotation())
    return Part(
        camera.view(surface).reshape(-1, 3),
        normals.reshape(-1, 3),
        uv.reshape(-1, 2),
        triangles,
        colour,
        grain,
        gloss,
        glow=None if glow is None else glow.reshape(-1),
    )


def lathe(axis: Array, radii: Array, columns: int = 16, flat: float = 1.0, wide: Array | None = None) -> Array:
    """``[rings, columns, 3]`` a solid of circular (or flattened) sections round a polyline axis [rings, 3]."""
    ahead = np.gradient(axis, axis=0)
    ahead /= np.maximum(np.sqrt(np.square(ahead).sum(axis=1, keepdims=True)), 1e-9)
    hint = np.array([1.0, 0.0, 0.0]) if wide is None else wide
    if np.abs((ahead * hint).sum(axis=1)).max() > 0.95:
        hint = np.array([0.0, 0.0, 1.0])
    side = hint - (ahead * hint).sum(axis=1, keepdims=True) * ahead
    side /= np.sqrt(np.square(side).sum(axis=1, keepdims=True))
    up = np.cross(side, ahead)
    angle = 2.0 * np.pi * np.arange(columns) / columns
    ring = np.cos(angle)[None, :, None] * side[:, None, :] + flat * np.sin(angle)[None, :, None] * up[:, None, :]
    surface: Array = axis[:, None, :] + radii[:, None, None] * ring
    return surface


def capsule(start: Array, end: Array, radius: float, rings: int = 9, taper: float = 1.0) -> Array:
    """A rounded rod: a finger, a microphone's head, an ear."""
    length = np.sqrt(np.square(end - start).sum())
    angle = np.linspace(0.0, np.pi, rings)
    along = 0.5 * length * (1.0 - np.sign(np.cos(angle)) * np.abs(np.cos(angle))) - radius * np.cos(angle)
    axis = start + (end - start) * (along / max(length, 1e-9))[:, None]
    radii = radius * np.maximum(np.sin(angle), 0.02) ** 0.8 * np.linspace(1.0, taper, rings)
    return lathe(axis, radii)


def tube(path: Array, radius: float, columns: int = 8) -> Array:
    """A round wire along a path [n, 3]: the rim of a pair of glasses."""
    return lathe(path, np.full(len(path), radius), columns)
