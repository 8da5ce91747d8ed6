"""Occluders that hide part of a face: glasses, hands, masks, strands of hair, hats and other objects.

Solid objects are part of the scene and share its light and depth. Hair and lenses are blended over the finished
picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from nmebench.synthface.camera import Camera, Pose
from nmebench.synthface.curves import through
from nmebench.synthface.hair import shell
from nmebench.synthface.head import FRONT_RINGS, Head, lift
from nmebench.synthface.solids import Part, capsule, lathe, sheet, tube
from nmebench.synthface.template import LEFT_EYE, NOSE_LINE, RIGHT_EYE, Array

KINDS: Final = ("sunglasses", "hand", "hand", "mask", "strands", "object", "card", "brim")


@dataclass(frozen=True)
class Overlay:
    """An area blended over the picture: a closed polygon [n, 2], or open strands where `width` is set."""

    polygon: Array
    colour: Array
    strength: float
    width: float = 0.0


@dataclass(frozen=True)
class Occluders:
    """The occluders of one face: solid parts and overlays."""

    parts: list[Part] = field(default_factory=list)
    overlays: list[Overlay] = field(default_factory=list)


@dataclass(frozen=True)
class Scene:
    """The head, pose and camera that an occluder is fitted to."""

    head: Head
    points: Array
    """[98, 3] frontal points."""
    camera: Camera
    skin: Array
    hair: Array


def occluders(scene: Scene, occluded: bool, rng: np.random.Generator) -> Occluders:
    """Draw at least one occluder for an occluded face, and sometimes thin glasses for any other face."""
    found = Occluders()
    if not occluded:
        if rng.uniform() < 0.08:
            _glasses(scene, found, rng, dark=False)
        return found
    for _ in range(2 if rng.uniform() < 0.2 else 1):
        kind = KINDS[int(rng.integers(len(KINDS)))]
        if kind == "sunglasses":
            _glasses(scene, found, rng, dark=rng.uniform() < 0.7)
        elif kind == "hand":
            _hand(scene, found, rng)
        elif kind == "mask":
            _mask(scene, found, rng)
        elif kind == "strands":
            _strands(scene, found, rng)
        elif kind == "object":
            _object(scene, found, rng)
        elif kind == "card":
            _card(scene, found, rng)
        else:
            _brim(scene, found, rng)
    return found


def _bright(rng: np.random.Generator) -> Array:
    colour = rng.uniform(0.08, 0.95, size=3)
    grey = colour.mean()
    linear: Array = np.square(grey + rng.uniform(0.3, 1.0) * (colour - grey))
    return linear


def _glasses(scene: Scene, found: Occluders, rng: np.random.Generator, dark: bool) -> None:
    frame = np.square(rng.uniform(0.02, 0.5, size=3))
    wide, high, boxy = rng.uniform(19.0, 24.0), rng.uniform(14.0, 19.0), rng.uniform(0.55, 1.0)
    radius = rng.uniform(0.9, 2.2)
    angle = np.linspace(0.0, 2.0 * np.pi, 41)
    front = scene.points[NOSE_LINE][0, 2] + 5.0
    for eye, side in ((RIGHT_EYE, -1.0), (LEFT_EYE, 1.0)):
        x, y = scene.points[eye, 0].mean(), scene.points[eye, 1].mean() + 3.0
        cos, sin = np.cos(angle), np.sin(angle)
        rim_x = x + wide * np.sign(cos) * np.abs(cos) ** boxy
        rim = np.stack(
            [rim_x, y + high * np.sign(sin) * np.abs(sin) ** boxy, front - 0.012 * np.square(rim_x) * 0.8], axis=1
        )
        found.parts.append(sheet(tube(rim, radius), scene.camera, frame, closed=True, gloss=0.3))
        seen = scene.camera.view(rim)[:, :2]
        if dark:
            found.parts.append(_lens(rim, scene.camera, np.square(rng.uniform(0.0, 0.25, size=3))))
        else:
            found.overlays.append(Overlay(seen, np.array([1.0, 1.0, 1.0]), rng.uniform(0.03, 0.12)))
            if rng.uniform() < 0.5:
                low = seen.mean(axis=0) + (seen[[2, 8, 14, 19]] - seen.mean(axis=0)) * 0.8
                found.overlays.append(Overlay(low, np.array([1.0, 1.0, 1.0]), rng.uniform(0.15, 0.5)))
        hinge = np.array([x + side * wide, y - 4.0, rim[:, 2].min()])
        column = 0 if side < 0 else 96
        ear = scene.head.outline[column] + [side * 4.0, 0.0, -4.0]
        temple = np.linspace(hinge, ear, 12)
        found.parts.append(sheet(tube(temple, radius), scene.camera, frame, closed=True, gloss=0.3))
    bridge_x = np.linspace(-36.0 + wide, 36.0 - wide, 9)
    bridge = np.stack(
        [bridge_x, scene.points[RIGHT_EYE, 1].mean() - 0.02 * (60 - bridge_x**2), np.full(9, front + 1.0)], axis=1
    )
    found.parts.append(sheet(tube(bridge, radius), scene.camera, frame, closed=True, gloss=0.3))


def _lens(rim: Array, camera: Camera, colour: Array) -> Part:
    middle = rim.mean(axis=0)
    steps = np.linspace(0.0, 1.0, 6)[:, None, None]
    surface = middle + steps * (rim[None, :-1] - middle)
    surface[..., 2] += 2.0 * (1.0 - np.square(steps[..., 0]))
    return sheet(surface, camera, colour, closed=True, grain=0.0, gloss=0.5, both_sides=True)


def _front_camera(scene: Scene, target: Array, roll: float) -> Camera:
    """Axes parallel to the image axes, with the origin at a point of the head."""
    x, y, depth = scene.camera.view(target[None])[0]
    del depth
    return Camera(Pose(0.0, 0.0, roll), scene.camera.scale, (float(x), float(y)))


def _target(scene: Scene, rng: np.random.Generator) -> Array:
    """Choose a point of the face to hide: an eye, a cheek, the mouth or the jaw."""
    chosen = scene.points[int(rng.choice([5, 10, 16, 22, 27, 35, 44, 54, 62, 70, 76, 82, 85, 85, 90])), :2]
    inner = np.array([0.0, 40.0]) + (chosen - np.array([0.0, 40.0])) * 0.9
    target: Array = lift(scene.head, inner[None])[0]
    return target


def _hand(scene: Scene, found: Occluders, rng: np.random.Generator) -> None:
    skin = scene.skin * rng.uniform(0.85, 1.1) if rng.uniform() < 0.8 else np.square(rng.uniform(0.3, 0.85, size=3))
    camera = _front_camera(scene, _target(scene, rng), rng.uniform(-80.0, 80.0))
    size, near = rng.uniform(0.85, 1.15), 95.0
    spread = rng.uniform(0.05, 0.35)
    for finger, length in enumerate((50.0, 58.0, 55.0, 44.0)):
        lean = (finger - 1.5) * spread
        root = np.array([(finger - 1.5) * 15.0, 28.0, near]) * size
        bend = rng.uniform(-3.0, 3.0)
        middle = root + np.array([lean * 0.5 * length, -0.55 * length, 4.0]) * size
        tip = root + np.array([lean * length + bend, -length, -2.0]) * size
        for start, end, thick in ((root, middle, 8.2), (middle, tip, 7.4)):
            found.parts.append(sheet(capsule(start, end, thick * size), camera, skin, closed=True, gloss=0.04))
        nail = capsule(tip + np.array([0.0, -3.0, 5.0]), tip + np.array([0.0, 3.0, 6.2]), 4.0 * size)
        found.parts.append(sheet(nail, camera, np.minimum(skin * 1.15 + 0.03, 1.0), closed=True, gloss=0.2))
    palm = lathe(
        np.linspace([0.0, 22.0, near], [0.0, 150.0, near - 30.0], 12) * size,
        np.interp(np.linspace(0, 1, 12), [0.0, 0.12, 0.45, 0.6, 1.0], [12.0, 31.0, 31.0, 21.0, 24.0]) * size,
        20,
        flat=0.45,
    )
    found.parts.append(sheet(palm, camera, skin * 0.97, closed=True, gloss=0.03))
    thumb_side = 1.0 if rng.uniform() < 0.5 else -1.0
    base = np.array([thumb_side * 24.0, 62.0, near + 4.0]) * size
    found.parts.append(
        sheet(
            capsule(base, base + np.array([thumb_side * 26.0, -36.0, 2.0]) * size, 8.5 * size),
            camera,
            skin,
            closed=True,
        )
    )


def _mask(scene: Scene, found: Occluders, rng: np.random.Generator) -> None:
    """A cloth mask over nose and mouth that follows the surface of the head."""
    head = scene.head
    x, y = head.surface[..., 0], head.surface[..., 1]
    upper = scene.points[52, 1] + rng.uniform(0.0, 12.0) + 0.0045 * np.square(x)
    rings = np.arange(head.surface.shape[0])[:, None]
    inside = np.minimum(y - upper, 6.0 * (FRONT_RINGS + 4.0 - rings))
    # Rising through the skin at a constant slope, so that its edge is straight and not stepped by the mesh.
    thickness = np.clip(1.5 * inside, -6.0, 4.0)
    pleats = 0.6 * np.sign(((y / 13.0) % 1.0) - 0.8) * (inside > 4.0)
    colour = _bright(rng) if rng.uniform() < 0.5 else np.array([0.75, 0.62, 0.42])
    uv = np.stack([x * 2.0, y], axis=-1)
    found.parts.append(shell(head, thickness + pleats, scene.camera, colour, 0.06, 0.02, uv))


def _strands(scene: Scene, found: Occluders, rng: np.random.Generator) -> None:
    """Strands of hair from the hairline over brow, eye or cheek."""
    side = 1.0 if rng.uniform() < 0.5 else -1.0
    start_x, end_x = side * rng.uniform(5.0, 35.0), side * rng.uniform(15.0, 62.0)
    end_y = rng.uniform(-5.0, 75.0)
    tufts = int(rng.integers(14, 46))
    for _ in range(tufts):
        x0, x1 = start_x + rng.uniform(-16.0, 16.0), end_x + rng.uniform(-14.0, 14.0)
        path = np.array(
            [
                [x0, -92.0],
                [(2 * x0 + x1) / 3 + rng.uniform(-3, 3), -52.0],
                [x1, end_y - 35.0],
                [x1 - side * 4.0, end_y + rng.uniform(-20, 10)],
            ]
        )
        dense = through(path, 5)
        lifted = lift(scene.head, dense) + np.array([0.0, 0.0, 6.0])
        shade = scene.hair * rng.uniform(0.6, 1.5)
        found.overlays.append(Overlay(scene.camera.view(lifted)[:, :2], shade, 0.95, rng.uniform(1.0, 2.6)))


def _object(scene: Scene, found: Occluders, rng: np.random.Generator) -> None:
    """A microphone, a cup or a ball in front of the face."""
    camera = _front_camera(scene, _target(scene, rng), rng.uniform(-70.0, 70.0))
    colour = _bright(rng)
    kind = int(rng.integers(3))
    far = np.array([0.0, 0.0, 110.0])

    def down(distance: float) -> Array:
        point: Array = far + np.array([0.0, distance, 0.0])
        return point

    if kind == 0:
        ball = capsule(far, down(4.0), 17.0, 15)
        found.parts.append(sheet(ball, camera, colour * 0.4, closed=True, grain=0.5))
        handle = lathe(np.linspace(down(14.0), down(130.0), 10), np.linspace(11.0, 7.0, 10))
        found.parts.append(sheet(handle, camera, colour, closed=True, gloss=0.2))
    elif kind == 1:
        axis = np.linspace(down(-32.0), down(40.0), 14)
        radii = np.linspace(29.0, 22.0, 14)
        # The first and the last ring are lids.
        radii[[0, -1]] = 0.5
        axis[0], axis[-1] = axis[1], axis[-2]
        axis[0, 1] -= 0.5
        axis[-1, 1] += 0.5
        found.parts.append(sheet(lathe(axis, radii, 28), camera, colour, closed=True, gloss=0.3))
    else:
        ball = capsule(far, down(1.0), rng.uniform(22.0, 40.0), 21)
        found.parts.append(sheet(ball, camera, colour, closed=True, grain=0.15, gloss=0.2))


def _card(scene: Scene, found: Occluders, rng: np.random.Generator) -> None:
    """A flat object: a phone, a sheet of paper or another person's shoulder."""
    centre = scene.camera.view(_target(scene, rng)[None])[0, :2]
    wide, high = rng.uniform(22.0, 60.0) * scene.camera.scale, rng.uniform(25.0, 60.0) * scene.camera.scale
    turn = rng.uniform(0.0, np.pi)
    along = np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-along[1], along[0]])
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    polygon = np.array([centre + a * wide * along + b * high * across for a, b in corners])
    # Moved aside so that it hides at most about half of the face.
    away = centre - np.asarray(scene.camera.shift)
    polygon += 0.35 * away
    found.overlays.append(Overlay(polygon, _bright(rng), 1.0))
    if rng.uniform() < 0.6:
        found.overlays.append(Overlay(centre + 0.35 * away + (polygon - centre - 0.35 * away) * 0.8, _bright(rng), 1.0))


def _brim(scene: Scene, found: Occluders, rng: np.random.Generator) -> None:
    """A cap: a shell over the skull with a peak that hides the forehead and sometimes the brows."""
    head = scene.head
    y = head.smooth[..., 1]
    edge = rng.uniform(-62.0, -42.0)
    above = edge - y - 0.1 * head.smooth[..., 2]
    colour = _bright(rng)
    thickness = np.clip(2.5 * above, -6.0, 14.0)
    uv = np.stack([head.smooth[..., 0], y], axis=-1)
    found.parts.append(shell(head, thickness, scene.camera, colour, 0.06, 0.02, uv))
    angle = np.linspace(-1.15, 1.15, 25)[None, :]
    out = np.linspace(0.0, 1.0, 8)[:, None]
    root = edge - 4.0
    x = (66.0 + 10.0 * out) * np.sin(angle) / np.sin(1.15)
    z = -35.0 + 55.0 * np.cos(angle) + out * 52.0 * np.cos(angle) ** 0.7
    drop = root + out * rng.uniform(4.0, 26.0) + 5.0 * np.square(angle)
    found.parts.append(
        sheet(
            np.stack([x, drop * np.ones_like(x), z], axis=-1), scene.camera, colour * 0.7, closed=False, both_sides=True
        )
    )


def blend(picture: npt.NDArray[np.uint8], overlays: list[Overlay]) -> None:
    """Draw overlays on a finished picture; OpenCV on bytes, fixed-point coordinates."""
    for overlay in overlays:
        mask = np.zeros(picture.shape[:2], np.uint8)
        at = np.rint(overlay.polygon * 16.0).astype(np.int32)
        if overlay.width:
            cv2.polylines(mask, [at], False, 255, max(1, round(overlay.width)), cv2.LINE_AA, 4)
        else:
            cv2.fillPoly(mask, [at], 255, cv2.LINE_AA, 4)
        rows, columns = np.nonzero(mask)
        share = mask[rows, columns, None] * (overlay.strength / 255.0)
        colour = 255.0 * np.sqrt(np.clip(overlay.colour, 0.0, 1.0))
        under = picture[rows, columns].astype(float)
        picture[rows, columns] = np.rint(under + share * (colour - under)).astype(np.uint8)
