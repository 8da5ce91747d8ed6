"""Draw one face. Each subject (pose, light, hair, ...) uses its own random stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmebench.synthface import (
    backdrop,
    degrade,
    figure,
    hair,
    light,
    occluders,
    paint,
    skin,
)
from nmebench.synthface.attributes import Attributes, Split, attributes_at, stream
from nmebench.synthface.camera import Camera, Pose
from nmebench.synthface.head import build
from nmebench.synthface.landmarks import landmarks
from nmebench.synthface.render import render
from nmebench.synthface.shape import draw_expression, draw_identity, frontal_points
from nmebench.synthface.template import Array


@dataclass(frozen=True)
class SynthFace:
    """A drawn face with its ground truth."""

    image: npt.NDArray[np.uint8]
    """``[height, width, 3]`` uint8, B, G, R."""
    landmarks: Array
    """``[98, 2]`` image px in WFLW's order; pixel centres have integer coordinates."""
    attributes: Attributes
    rect: tuple[int, int, int, int]
    """x_min, y_min, x_max, y_max of a loose box as a face detector would report it, image px."""


def draw(seed: int, split: Split, index: int, attributes: Attributes | None = None) -> SynthFace:
    """Draw face ``index`` of a split; the result is the same on every machine and in any order of drawing.

    Args:
        seed: seed of the split.
        split: ``test`` or ``train``.
        index: position of the face in the split.
        attributes: replaces the attributes that this face has in its split.
    """
    if attributes is None:
        attributes = attributes_at(seed, split, index)
    # One stream per subject: switching one attribute does not change the draws of the others.
    who, mood, stance, lamp, things, place, camera_faults, makeup_bag, texture = (
        stream(seed, split, 0, index, subject) for subject in range(9)
    )
    identity = draw_identity(who)
    style = hair.draw_hair(who)
    looks = skin.draw_looks(who, style.colour)
    expression = draw_expression(mood, attributes.expression)
    points = frontal_points(identity, expression)
    head = build(points, identity)

    face = place.uniform(115.0, 190.0)
    height, width = (int(np.clip(face * place.uniform(1.45, 1.9), 208, 344)) for _ in range(2))
    camera = Camera(draw_pose(stance, attributes.pose), face / 155.0, (0.0, 0.0))
    found = landmarks(head, points, camera)
    low, high = found.min(axis=0), found.max(axis=0)
    room = np.array([width, height]) - 1.0 - (high - low)
    margin = np.minimum(6.0, 0.25 * room)
    corner = margin + (room - 2.0 * margin) * place.uniform([0.15, 0.3], [0.85, 0.9])
    shift = corner - low
    camera = Camera(camera.pose, camera.scale, (float(shift[0]), float(shift[1])))
    found = landmarks(head, points, camera)

    lit = light.draw_light(lamp, attributes.illumination)
    makeup = skin.draw_makeup(makeup_bag) if attributes.makeup else None
    scene = occluders.Scene(head, points, camera, looks.skin, style.colour)
    hiding = occluders.occluders(scene, attributes.occlusion, things)
    parts = [
        *figure.head_parts(head, camera, looks.skin),
        *figure.ear_parts(head, camera, looks.skin),
        figure.neck_part(camera, looks.skin),
        *hair.hair_parts(head, style, camera, texture),
        *hiding.parts,
    ]
    atlas = paint.atlas(points, expression, looks, makeup, texture)
    grain = skin.noise(texture, 128, 256, 1.0)
    front, cover = render(parts, atlas, lit, height, width, grain)
    behind = backdrop.backdrop(place, height, width)
    backdrop.clothes(behind, place, camera)
    linear = (front + (1.0 - cover[..., None]) * behind) * (lit.exposure * lit.cast)
    # A square root replaces the sRGB curve: unlike a power, every CPU rounds it alike.
    picture = np.rint(255.0 * np.sqrt(np.clip(linear, 0.0, 1.0))).astype(np.uint8)
    occluders.blend(picture, hiding.overlays)
    if attributes.blur:
        picture = degrade.blurred(picture, camera_faults, face)
    picture = degrade.noisy(picture, camera_faults, int(camera_faults.integers(1, 5)))
    return SynthFace(picture, found, attributes, detector_rect(found, place, width, height))


def draw_pose(rng: np.random.Generator, large: bool) -> Pose:
    """Draw a pose as in photographs; a large pose is mostly yaw, sometimes pitch or roll."""
    yaw, pitch, roll = rng.normal(0.0, 1.0, size=3).clip(-2.2, 2.2)
    if not large:
        return Pose(17.0 * yaw, 9.5 * pitch, 8.0 * roll)
    side = 1.0 if rng.uniform() < 0.5 else -1.0
    if rng.uniform() < 0.8:
        return Pose(side * rng.uniform(42.0, 75.0), 10.0 * pitch, 10.0 * roll)
    if rng.uniform() < 0.5:
        return Pose(18.0 * yaw, rng.uniform(22.0, 34.0) * side, 10.0 * roll)
    return Pose(20.0 * yaw, 10.0 * pitch, rng.uniform(30.0, 60.0) * side)


def detector_rect(points: Array, rng: np.random.Generator, width: int, height: int) -> tuple[int, int, int, int]:
    """A loose box around the face, as a detector would report it."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = high - low
    low, high = low - size * rng.uniform(-0.06, 0.14, size=2), high + size * rng.uniform(-0.06, 0.1, size=2)
    x0, y0 = np.maximum(np.rint(low), 0.0)
    x1, y1 = np.minimum(np.rint(high), [width - 1.0, height - 1.0])
    return int(x0), int(y0), int(x1), int(y1)
