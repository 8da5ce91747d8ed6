"""The 98 landmarks of a drawn head, in image pixels.

Points 33 to 97 are fixed to the surface. The jaw contour follows the visible outline, as WFLW's labels do: the jaw
line where it faces the viewer, the silhouette of the face where it has turned away. Each half is resampled to equal
steps (in WFLW's own lists the steps of a half differ by 0.1 %).
"""

from __future__ import annotations

import numpy as np

from nmebench.synthface.camera import Camera, turn
from nmebench.synthface.curves import evenly
from nmebench.synthface.head import (
    CHIN_COLUMN,
    FRONT_RINGS,
    JAW_COLUMNS,
    Head,
    grid_normals,
    lift,
)
from nmebench.synthface.template import CHIN, JAW, POINTS, Array


def landmarks(head: Head, points: Array, camera: Camera) -> Array:
    """[98, 2] image coordinates; `points` [98, 3] are the frontal points the head was built from."""
    found = np.empty((POINTS, 2))
    found[JAW.stop :] = camera.view(lift(head, points[JAW.stop :, :2]))[:, :2]
    contour = camera.view(visible_contour(head, camera))[:, :2]
    found[: CHIN + 1] = evenly(contour[: CHIN_COLUMN + 1], CHIN + 1)
    found[CHIN : JAW.stop] = evenly(contour[CHIN_COLUMN:], CHIN + 1)
    # The lists hold six decimals. Rounding removes the last bits, where sines differ between CPUs.
    return np.round(found, 6)


def visible_contour(head: Head, camera: Camera) -> Array:
    """[JAW_COLUMNS, 3] the jaw line, moved inwards to the occluding contour where it faces away."""
    facing = turn(grid_normals(head.smooth, closed=True), camera.rotation())[..., 2][:, :JAW_COLUMNS]
    columns = np.arange(JAW_COLUMNS)
    # From the jaw line inwards, the first ring that faces the viewer.
    seen = facing[FRONT_RINGS::-1] > 0.0
    ring = FRONT_RINGS - np.argmax(seen, axis=0)
    outer = np.minimum(ring + 1, FRONT_RINGS)
    near, far = facing[ring, columns], facing[outer, columns]
    share = np.where(outer > ring, near / np.maximum(near - far, 1e-12), 0.0)[:, None]
    surface = head.surface
    contour: Array = surface[ring, columns] * (1.0 - share) + surface[outer, columns] * share
    return contour
