"""Head, ears and neck as mesh parts."""

from __future__ import annotations

import numpy as np

from nmebench.synthface.camera import Camera, Pose, turn
from nmebench.synthface.head import (
    CENTRE,
    COLUMNS,
    FRONT_RINGS,
    RINGS,
    Head,
    grid,
    grid_normals,
)
from nmebench.synthface.solids import Part, capsule, lathe, sheet
from nmebench.synthface.template import Array


def head_parts(head: Head, camera: Camera, skin: Array) -> list[Part]:
    """The painted face and the plain back of the head."""
    normals = turn(grid_normals(head.surface, closed=True), camera.rotation()).reshape(-1, 3)
    seen = camera.view(head.surface).reshape(-1, 3)
    uv = head.surface[..., :2].reshape(-1, 2)
    triangles = grid(RINGS, COLUMNS, closed=True)
    split = FRONT_RINGS * COLUMNS * 2
    face = Part(seen, normals, uv, triangles[:split], skin, gloss=0.07, painted=True)
    back = Part(seen, normals, head.surface[..., 1:].reshape(-1, 2), triangles[split:], skin)
    return [face, back]


def ear_parts(head: Head, camera: Camera, skin: Array) -> list[Part]:
    """Ears: flattened rods at the upper ends of the jaw line, with a darker hollow."""
    parts = []
    for column, side in ((0, -1.0), (96, 1.0)):
        root = head.outline[column]
        for length, thick, tint, away in ((1.0, 11.0, 0.92, 3.0), (0.6, 6.0, 0.55, 7.0)):
            top = root + np.array([side * (away + 4.0), 20.0 - 22.0 * length, -16.0])
            bottom = root + np.array([side * away, 20.0 + 20.0 * length, -8.0])
            surface = capsule(top, bottom, thick)
            # Flatten towards the head.
            middle = (top + bottom) / 2.0
            surface[..., 0] = middle[0] + (surface[..., 0] - middle[0]) * (0.5 if length == 1.0 else 0.7)
            parts.append(sheet(surface, camera, skin * tint, closed=True, grain=0.05))
    return parts


def neck_part(camera: Camera, skin: Array) -> Part:
    """Neck: from below the jaw to below the picture; it follows part of the head's rotation."""
    body = Camera(Pose(0.35 * camera.pose.yaw, 0.0, 0.3 * camera.pose.roll), camera.scale, camera.shift)
    anchor = turn(turn(np.array([0.0, CENTRE[1] + 25.0, -72.0]), camera.rotation()), body.rotation().T)
    steps = np.linspace(0.0, 1.0, 8)[:, None]
    axis = anchor + steps * np.array([0.0, 190.0, -12.0])
    radii = np.interp(steps[:, 0], [0.0, 0.3, 0.55, 1.0], [50.0, 46.0, 50.0, 105.0])
    surface = lathe(axis, radii, 32)
    # The jaw shades the neck from the sky light.
    shade = np.interp(steps[:, 0], [0.0, 0.3, 0.6], [0.35, 0.6, 0.95])
    return sheet(surface, body, skin, closed=True, grain=0.05, glow=shade[:, None] * np.ones(32))
