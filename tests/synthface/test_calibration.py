"""Landmarks coincide with the drawn features, far below a tenth of a pixel."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.synthface import figure, skin
from nmebench.synthface.attributes import stream
from nmebench.synthface.camera import Camera, Pose
from nmebench.synthface.head import (
    COLUMNS,
    FRONT_RINGS,
    RINGS,
    Head,
    build,
    grid,
    lift,
)
from nmebench.synthface.landmarks import landmarks
from nmebench.synthface.light import Light
from nmebench.synthface.render import render
from nmebench.synthface.shape import Expression, draw_identity, frontal_points
from nmebench.synthface.template import CHIN, Array

SIZE = 320
NEUTRAL = Expression(0.3, 0.3, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
FLAT_LIGHT = Light(np.array([0.0, 0.0, 1.0]), 0.0, 1.0, np.ones(3), 0.0, None, 0.0, 1.0, np.ones(3))
"""Fill light without a key light."""


def head_of(index: int) -> tuple[Head, Array]:
    identity = draw_identity(stream(5, "test", index))
    points = frontal_points(identity, NEUTRAL)
    return build(points, identity), points


def camera_at(yaw: float, pitch: float = 0.0, roll: float = 0.0, scale: float = 1.37) -> Camera:
    return Camera(Pose(yaw, pitch, roll), scale, (160.31, 131.77))


POSES = [(0.0, 0.0, 0.0), (18.0, 8.0, -12.0), (-30.0, -10.0, 25.0)]


@pytest.mark.parametrize("pose", POSES)
def test_a_dot_painted_at_a_landmark_is_seen_at_it(pose: tuple[float, float, float]) -> None:
    """Check the complete chain (atlas, look-up, projection, averaging) on a flat head.

    On a curved surface a dot's centroid is not the image of its centre, so that would measure the curvature.
    """
    head, points = head_of(3)
    slanted = head.surface.copy()
    slanted[..., 2] = 0.2 * slanted[..., 0] - 0.1 * slanted[..., 1]
    head = Head(head.outline, slanted, slanted)
    camera = camera_at(*pose)
    parts = figure.head_parts(head, camera, np.ones(3))
    expected = landmarks(head, points, camera)
    dots = [36, 45, 54, 60, 66, 76, 85, 97]
    dotted = np.ones((skin.HEIGHT, skin.WIDTH, 3), np.float32)
    for point in dots:
        where = skin.around(points[point : point + 1], 5.0)
        skin.tint(dotted, where, np.zeros(3), skin.disc(where, points[point, 0], points[point, 1], 1.5, 1.0))
    picture, _ = render(parts, dotted, FLAT_LIGHT, SIZE, SIZE, np.zeros((4, 4), np.float32))
    plain, _ = render(parts, np.ones_like(dotted), FLAT_LIGHT, SIZE, SIZE, np.zeros((4, 4), np.float32))
    y, x = np.mgrid[:SIZE, :SIZE]
    for point in dots:
        near = np.hypot(x - expected[point, 0], y - expected[point, 1]) < 5.0
        missing = np.where(near, plain[..., 0] - picture[..., 0], 0.0)
        seen = np.array([(missing * x).sum(), (missing * y).sum()]) / missing.sum()
        assert np.abs(seen - expected[point]).max() < 0.03, point


def test_landmarks_lie_on_the_triangles_that_are_drawn() -> None:
    """Compare with a search through all triangles of the painted face."""
    head, points = head_of(3)
    corner = head.surface.reshape(-1, 3)[grid(RINGS, COLUMNS, closed=True)[: 2 * FRONT_RINGS * COLUMNS]]
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (corner[:, i].T for i in range(3))
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    corner_area = np.where(np.abs(area) > 1e-9, area, np.inf)
    for x, y, z in lift(head, points[33:, :2]):
        a = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / corner_area
        b = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / corner_area
        inside = (np.minimum(np.minimum(a, b), 1.0 - a - b) >= -1e-9) & np.isfinite(corner_area)
        depth = (a * az + b * bz + (1.0 - a - b) * cz)[inside]
        assert len(depth)
        assert np.abs(depth - z).max() < 1e-9


@pytest.mark.parametrize("yaw", [-65.0, -40.0, 0.0, 25.0, 55.0])
def test_the_far_half_of_the_contour_lies_on_the_silhouette(yaw: float) -> None:
    head, points = head_of(7)
    # Without nose and lips, the outline of the face is the contour.
    bare = Head(head.outline, head.smooth, head.smooth)
    camera = camera_at(yaw, scale=1.1)
    contour = landmarks(bare, points, camera)
    face = figure.head_parts(bare, camera, np.ones(3))[0]
    starts = face.xyz[face.triangles][:, [0, 1, 2], :2].reshape(-1, 2)
    ends = face.xyz[face.triangles][:, [1, 2, 0], :2].reshape(-1, 2)
    side = 1.0 if yaw >= 0 else -1.0
    off = []
    for index in range(20, 31) if side > 0 else range(2, 13):
        x, y = contour[index]
        crossing = (starts[:, 1] - y) * (ends[:, 1] - y) < 0.0
        (x0, y0), (x1, y1) = starts[crossing].T, ends[crossing].T
        outline = (side * (x0 + (y - y0) / (y1 - y0) * (x1 - x0))).max()
        off.append(abs(outline - side * x))
    assert max(off) < 0.1
    assert np.mean(off) < 0.04


@pytest.mark.parametrize("yaw", [-60.0, -20.0, 0.0, 35.0])
def test_each_half_of_the_contour_has_equal_steps(yaw: float) -> None:
    head, points = head_of(1)
    found = landmarks(head, points, camera_at(yaw, 6.0, 10.0))
    for half in (found[: CHIN + 1], found[CHIN:33]):
        steps = np.sqrt(np.square(np.diff(half, axis=0)).sum(axis=1))
        assert steps.std() / steps.mean() < 0.02


def test_the_edge_of_the_lips_lies_on_their_landmarks() -> None:
    _, points = head_of(2)
    lips = points[76:88]
    where = skin.around(lips, 5.0)
    cover = skin.between(lips[:7], lips[[0, 11, 10, 9, 8, 7, 6]], where)
    column = cover[:, round((lips[3, 0] - where.x[0, 0]) * skin.TEXELS)]
    height = column.sum() / skin.TEXELS
    assert height == pytest.approx(lips[9, 1] - lips[3, 1], abs=0.1)
