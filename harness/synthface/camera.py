"""Pose of the head and a weak-perspective camera: head coordinates to image pixels.

A pixel's centre has integer coordinates. The projection is affine, so that interpolation over a projected
triangle is exact and a landmark projects exactly to the texel that was painted for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nmebench.synthface.template import Array


@dataclass(frozen=True)
class Pose:
    """Angles in degrees. Yaw turns the face to the image's right, pitch lifts the chin, roll is clockwise."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True)
class Camera:
    """Weak perspective: rotate, scale, shift."""

    pose: Pose
    scale: float
    """Pixels per head unit."""
    shift: tuple[float, float]
    """Position of the head's origin in the image, px."""

    def rotation(self) -> Array:
        """[3, 3] head to view coordinates; pitch first, then yaw, then roll."""
        a, b, c = (math.radians(v) for v in (self.pose.pitch, self.pose.yaw, self.pose.roll))
        pitch = np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
        yaw = np.array([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]])
        roll = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
        return times(times(roll, yaw), pitch)

    def view(self, points: Array) -> Array:
        """Head coordinates [..., 3] to image x, y and depth in pixels (larger is nearer)."""
        seen = turn(points, self.rotation()) * self.scale
        seen[..., 0] += self.shift[0]
        seen[..., 1] += self.shift[1]
        return seen


def times(a: Array, b: Array) -> Array:
    """Matrix product by explicit sums: BLAS may round differently from one CPU to the next."""
    product: Array = (a[:, :, None] * b[None, :, :]).sum(axis=1)
    return product


def turn(points: Array, rotation: Array) -> Array:
    """Rotate vectors [..., 3]."""
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    return np.stack([row[0] * x + row[1] * y + row[2] * z for row in rotation], axis=-1)
