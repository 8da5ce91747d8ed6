"""Paint the texture atlas of one face, layer by layer."""

from __future__ import annotations

import cv2
import numpy as np

from nmebench.synthface.curves import graph, through
from nmebench.synthface.shape import BROWS, EYES, Expression
from nmebench.synthface.skin import (
    HEIGHT,
    LEFT,
    TEXELS,
    TOP,
    WIDTH,
    Looks,
    Makeup,
    Singles,
    around,
    between,
    disc,
    glow,
    noise,
    tint,
    window,
)
from nmebench.synthface.template import INNER_LIP, NOSE_BASE, OUTER_LIP, Array


def atlas(
    points: Array, expression: Expression, looks: Looks, makeup: Makeup | None, rng: np.random.Generator
) -> Singles:
    """[HEIGHT, WIDTH, 3] albedo in linear light, B, G, R."""
    picture = _skin(looks, rng)
    if looks.beard:
        _beard(picture, points, looks, rng)
    _folds(picture, points, expression, looks, rng)
    if makeup:
        _paint(picture, makeup, rng)
        for side in (-1.0, 1.0):
            cheek = window(side * 45.0 - 30.0, side * 45.0 + 30.0, 15.0, 75.0)
            tint(
                picture,
                cheek,
                np.array([0.2, 0.15, 0.65]),
                0.6 * makeup.blush * glow(cheek, side * 46.0, 42.0, 16.0, 13.0),
            )
    for eye, pupil, side in EYES:
        _eye(picture, points[eye], points[pupil], side, looks, makeup, rng)
    for brow, side in BROWS:
        _brow(picture, points[brow], side, looks, rng)
    _nostrils(picture, points)
    _mouth(picture, points, looks, makeup, rng)
    return picture


def _skin(looks: Looks, rng: np.random.Generator) -> Singles:
    broad = noise(rng, HEIGHT, WIDTH, 60.0) * looks.blotches
    fine = noise(rng, HEIGHT, WIDTH, 3.0) * 0.045 + noise(rng, HEIGHT, WIDTH, 12.0) * 0.03
    tone = (broad + fine).astype(np.float32)[..., None]
    picture = looks.skin.astype(np.float32) * (1.0 + tone * np.array([1.2, 1.1, 0.7], np.float32))
    middle = window(-90.0, 90.0, -10.0, 95.0)
    flush = (
        glow(middle, -42.0, 42.0, 20.0, 16.0)
        + glow(middle, 42.0, 42.0, 20.0, 16.0)
        + glow(middle, 0.0, 42.0, 12.0, 10.0)
    )
    flush *= np.clip((52.5 - np.abs(middle.y - 42.5)) / 30.0, 0.0, 1.0)
    picture[middle.rows, middle.columns] *= 1.0 - flush[..., None] * np.array([0.14, 0.13, -0.03])
    if looks.freckles:
        dots = np.clip(noise(rng, HEIGHT, WIDTH, 4.0) - 0.55, 0.0, 1.0) * looks.freckles
        picture *= 1.0 - dots[..., None] * np.array([1.0, 0.9, 0.6], np.float32)
    return picture


def _beard(picture: Singles, points: Array, looks: Looks, rng: np.random.Generator) -> None:
    area = window(-92.0, 92.0, 20.0, 168.0)
    mouth = points[OUTER_LIP]
    nose = points[NOSE_BASE, 1].max()
    upper = np.interp(np.abs(area.x), [0.0, 22.0, 36.0, 60.0, 80.0], nose + np.array([4.0, 5.0, 24.0, 16.0, -28.0]))
    rough = noise(rng, area.y.shape[0], area.x.shape[1], 9.0) * 4.0
    cover = np.clip((area.y - upper + rough) / 9.0, 0.0, 1.0)
    under = mouth[9, 1]
    bare = np.clip(1.2 - np.abs(area.x) / 16.0, 0.0, 1.0) * np.clip(1.0 - np.abs(area.y - under - 6.0) / 5.0, 0.0, 1.0)
    strands = 0.75 + 0.35 * noise(rng, cover.shape[0], cover.shape[1], 2.2)
    tint(picture, area, looks.brow * 0.9 + 0.01, cover * (1.0 - 0.5 * bare) * np.clip(strands, 0, 1) * looks.beard)


def _stroke(picture: Singles, line: Array, width: float, strength: float) -> None:
    """Darken along a polyline [n, 2]: a crease."""
    area = around(line, 3.0 * width)
    mask = np.zeros((area.y.shape[0], area.x.shape[1]), np.uint8)
    if mask.size == 0:
        return
    at = (line - np.array([area.x[0, 0], area.y[0, 0]])) * (TEXELS * 16)
    cv2.polylines(mask, [np.rint(at).astype(np.int32)], False, 255, max(1, round(width * TEXELS)), cv2.LINE_8, 4)
    size = 2 * max(1, round(width * TEXELS)) + 1
    soft = np.asarray(cv2.blur(cv2.blur(mask, (size, size)), (size, size)))
    picture[area.rows, area.columns] *= 1.0 - (strength / 255.0) * soft[..., None] * np.array([1.0, 0.95, 0.8])


def _folds(picture: Singles, points: Array, expression: Expression, looks: Looks, rng: np.random.Generator) -> None:
    """Creases: beside the nose, and with age on the forehead, between the brows and at the eyes."""
    nose, mouth = points[NOSE_BASE], points[OUTER_LIP]
    depth = 0.16 + 0.3 * looks.age + 0.3 * max(expression.smile, 0.0)
    for base, corner, side in ((nose[0], mouth[0], -1.0), (nose[4], mouth[6], 1.0)):
        start, end = base[:2], corner[:2]
        fold = np.stack([start, (start + end) / 2.0, end])
        fold += np.array([[side * 3.0, -5.0], [side * 11.0, -3.0], [side * 8.0, 0.0]])
        _stroke(picture, through(fold, 8), 1.3, depth)
    raised = max(expression.brow_raise, 0.0)
    for row in range(3):
        if looks.age + raised > 0.5:
            x = np.linspace(-42.0, 42.0, 9)
            y = -48.0 - 11.0 * row - 4.0 * raised + rng.uniform(-1.0, 1.0, size=9) + 4.0 * (x / 42.0) ** 2
            _stroke(picture, np.stack([x, y], axis=1), 0.8, 0.22 * min(1.0, looks.age + raised))
    frown = max(-expression.brow_raise, 0.0)
    if frown + looks.age > 0.5:
        for side in (-1.0, 1.0):
            _stroke(
                picture, np.array([[side * 5.0, -30.0], [side * 6.5, -15.0]]), 0.9, 0.35 * min(1.0, frown + looks.age)
            )
    if looks.age > 0.35:
        for side in (-1.0, 1.0):
            for tilt in (-6.0, 0.0, 6.0):
                line = np.array([[side * 54.0, tilt * 0.3], [side * 66.0, tilt * 1.3 - 1.0]])
                _stroke(picture, line, 0.6, 0.35 * looks.age)
    for eye, _, _ in EYES:
        lids = points[eye, :2]
        bag = lids[[0, 7, 6, 5, 4]] + [0.0, 6.5]
        _stroke(picture, through(bag, 6), 1.2, 0.1 + 0.3 * looks.age)


def _eye(
    picture: Singles,
    lids: Array,
    pupil: Array,
    side: float,
    looks: Looks,
    makeup: Makeup | None,
    rng: np.random.Generator,
) -> None:
    # Either eye's points run from its image-left corner over the upper lid and back along the lower one.
    top, bottom = lids[:5], lids[[0, 7, 6, 5, 4]]
    area = around(lids, 13.0)
    x = area.x[0]
    upper, lower = graph(top, x), graph(bottom, x)
    within = np.clip(np.minimum(x - top[0, 0], top[-1, 0] - x) / 3.0 + 0.4, 0.0, 1.0)
    # The lid's crease and the socket's shade come first, then the opening over them.
    above = upper - area.y
    crease = np.clip(1.0 - np.abs(above - 5.0) / 1.2, 0.0, 1.0) * within * (0.38 + 0.2 * looks.age)
    shade = np.clip(1.0 - np.abs(above - 2.5) / 5.0, 0.0, 1.0) * within * 0.16
    picture[area.rows, area.columns] *= 1.0 - (np.maximum(crease, shade))[..., None] * np.array([1.0, 0.95, 0.85])
    if makeup:
        lid = np.clip(1.0 - np.abs(above - 3.5) / 6.5, 0.0, 1.0) * within
        tint(picture, area, makeup.shadow, lid * makeup.shadow_strength)
    opening = between(top, bottom, area)
    depth = np.clip(np.minimum(area.y - upper, lower - area.y) / 3.0, 0.0, 1.0)
    ball = np.array([0.66, 0.70, 0.74]) * (0.55 + 0.45 * depth[..., None])
    ball *= 1.0 - 0.35 * np.clip(1.0 - (area.y - upper) / 4.0, 0.0, 1.0)[..., None]  # the upper lid's shadow
    corner = 1.0 / (1.0 + np.square((area.x - (top[-1, 0] if side < 0 else top[0, 0])) / 2.0)) * np.ones_like(area.y)
    ball += corner[..., None] * (np.array([0.30, 0.32, 0.62]) - ball) * 0.7
    px, py = float(pupil[0]), float(pupil[1])
    distance = np.sqrt(np.square(area.x - px) + np.square(area.y - py))
    spokes = 0.85 + 0.3 * noise(rng, distance.shape[0], distance.shape[1], 2.5)
    iris = looks.iris * (spokes * (0.75 + 0.5 * np.clip(1.0 - distance / looks.iris_radius, 0, 1)))[..., None] * 1.6
    rim = np.clip(1.0 - np.abs(distance - looks.iris_radius + 0.7) / 1.0, 0.0, 1.0)
    iris *= 1.0 - 0.6 * rim[..., None]
    ball += disc(area, px, py, looks.iris_radius, 0.7)[..., None] * (iris - ball)
    ball *= 1.0 - 0.97 * disc(area, px, py, looks.pupil_radius, 0.5)[..., None]
    glint = disc(area, px - 2.2, py - 2.4, 1.3, 0.7)
    ball += glint[..., None] * (1.1 - ball)
    tint(picture, area, ball, opening)
    # Lashes: a dark line along the outside of the lid, thicker above and outwards.
    outwards = np.clip(side * (area.x - px) / 15.0 * 0.4 + 0.7, 0.2, 1.1)
    thick = 1.5 * looks.lash + (1.6 * makeup.liner if makeup else 0.0)
    line = np.clip(thick * outwards + 0.3 - np.abs(above - 0.4 * thick) / 0.8, 0.0, 1.0) * within
    tint(picture, area, np.full(3, 0.012), np.minimum(line, 1.0) * (0.55 + 0.4 * looks.lash))
    beneath = np.clip(0.9 - np.abs(area.y - lower - 0.4) / 0.7, 0.0, 1.0) * within
    tint(picture, area, looks.skin * 0.25, beneath * (0.35 + (0.5 * makeup.liner if makeup else 0.0)))


def _brow(picture: Singles, hairs: Array, side: float, looks: Looks, rng: np.random.Generator) -> None:
    # Image-left to right, upper edge 33..37 (right brow) or 42..46 (left), lower edge beneath it.
    top = hairs[:5]
    bottom = hairs[[0, 8, 7, 6, 5]] if side < 0 else hairs[[8, 7, 6, 5, 4]]
    area = around(hairs, 5.0)
    cover = between(top, bottom, area, soft=1.0)
    # The hairs thin out towards the nose.
    inner = hairs[4:6, 0].mean() if side < 0 else hairs[[0, 8], 0].mean()
    cover = cover * np.clip(0.45 + np.abs(area.x - inner) / 9.0, 0.0, 1.0)
    strands = noise(rng, cover.shape[0], cover.shape[1], 1.6)
    cover = cover * np.clip(0.78 + 0.4 * strands, 0.0, 1.0)
    tint(picture, area, looks.brow, cover * looks.brow_strength)


def _nostrils(picture: Singles, points: Array) -> None:
    base = points[NOSE_BASE]
    half = (base[4, 0] - base[0, 0]) / 2.0
    middle, y = (base[4, 0] + base[0, 0]) / 2.0, float(base[2, 1])
    area = around(base, 14.0)
    for side in (-1.0, 1.0):
        hole = glow(area, middle + side * 0.47 * half, y - 2.6, 0.2 * half, 1.3)
        picture[area.rows, area.columns] *= 1.0 - 0.9 * np.clip(1.5 * hole - 0.2, 0, 1)[..., None] * np.array(
            [1.0, 0.98, 0.9]
        )
        across = middle + side * half * np.array([0.8, 1.08, 1.0, 0.7])
        wing = np.stack([across, y + np.array([-13.0, -8.0, -3.5, -2.0])], axis=1)
        _stroke(picture, through(wing, 6), 0.7, 0.4)
    shade = glow(area, middle, y + 1.5, half * 0.7, 2.4)
    picture[area.rows, area.columns] *= 1.0 - 0.4 * shade[..., None] * np.array([1.0, 0.97, 0.85])


def _mouth(picture: Singles, points: Array, looks: Looks, makeup: Makeup | None, rng: np.random.Generator) -> None:
    outer, inner = points[OUTER_LIP], points[INNER_LIP]
    top, bottom = outer[:7], outer[[0, 11, 10, 9, 8, 7, 6]]
    inner_top, inner_bottom = inner[:5], inner[[0, 7, 6, 5, 4]]
    area = around(outer, 9.0)
    under = glow(area, float(outer[9, 0]), float(outer[9, 1]) + 5.0, 12.0, 3.0)
    picture[area.rows, area.columns] *= 1.0 - 0.22 * under[..., None]
    cover = between(top, bottom, area)
    colour = looks.lip * (1.0 + 0.1 * noise(rng, cover.shape[0], cover.shape[1], 3.0))[..., None]
    strength = 0.85
    if makeup:
        colour = colour + makeup.lipstick_strength * (makeup.lipstick - colour)
        strength = 0.95
    x = area.x[0]
    seam = graph(inner_top, x)
    # The upper lip faces down and is darker than the lower one.
    tone = np.where(area.y < seam, 0.78, 1.06)
    tint(picture, area, colour * tone[..., None], cover * strength)
    gap = between(inner_top, inner_bottom, area)
    within = area.y - graph(inner_top, x)
    room = np.maximum(graph(inner_bottom, x) - graph(inner_top, x), 0.0)
    inside = np.full((*gap.shape, 3), 1.0) * np.array([0.012, 0.012, 0.03])
    teeth_high = np.minimum(room * 0.75, 9.5)
    half = np.maximum((inner[4, 0] - inner[0, 0]) / 2.0, 1.0)
    middle = (inner[4, 0] + inner[0, 0]) / 2.0
    arch = np.clip(1.15 - np.square((x - middle) / half), 0.0, 1.0)
    teeth = np.clip((teeth_high * arch - within) / 0.8, 0.0, 1.0) * np.clip(room / 2.0, 0.0, 1.0)
    gaps = 1.0 - 0.3 * np.clip(1.0 - np.abs(((x - middle) / 5.2) % 1.0 - 0.5) * 9.0, 0.0, 1.0)
    enamel = np.array([0.58, 0.66, 0.70]) * (gaps * (0.45 + 0.55 * arch))[None, :, None]
    inside = inside + teeth[..., None] * (enamel - inside)
    tongue = np.clip((within - 0.55 * room) / 4.0, 0.0, 1.0) * np.clip(room / 14.0 - 0.4, 0.0, 1.0) * arch
    inside = inside + tongue[..., None] * (np.array([0.10, 0.08, 0.30]) - inside)
    tint(picture, area, inside, gap)
    line = np.clip(1.0 - np.abs(within - 0.5 * room) / (0.7 + 0.5 * room), 0.0, 1.0)
    ends = np.clip(np.minimum(x - inner[0, 0], inner[4, 0] - x) / 2.0 + 1.0, 0.0, 1.0)
    closed = np.clip(1.2 - room / 2.0, 0.0, 1.0)
    tint(picture, area, looks.lip * 0.12, line * ends * closed * 0.85)
    lit = np.clip(1.0 - np.abs(area.y - graph(inner_bottom, x) - 0.5 * (outer[9, 1] - inner[6, 1])) / 1.6, 0.0, 1.0)
    picture[area.rows, area.columns] *= 1.0 + 0.16 * (lit * cover * arch)[..., None]


def _paint(picture: Singles, makeup: Makeup, rng: np.random.Generator) -> None:
    whole = window(LEFT, LEFT + WIDTH, TOP, TOP + HEIGHT)
    if makeup.paint_kind == 1:
        wave = np.clip(1.5 - np.abs((whole.y - 20.0) % 14.0 - 5.0) / 2.0, 0.0, 1.0)
        cover = (
            wave
            * np.clip((np.abs(whole.x) - 24.0) / 2.0, 0, 1)
            * np.clip((58.0 - whole.y) / 2, 0, 1)
            * np.clip((whole.y - 20.0) / 2, 0, 1)
        )
    elif makeup.paint_kind == 2:
        side = 1.0 if rng.uniform() < 0.5 else -1.0
        cover = np.clip(side * whole.x / 1.5 + 0.5, 0.0, 1.0) * np.ones((HEIGHT, WIDTH))
    elif makeup.paint_kind == 3:
        cover = np.clip((30.0 - np.abs(whole.y + 2.0) - 0.1 * np.abs(whole.x)) / 2.0, 0.0, 1.0)
    elif makeup.paint_kind == 4:
        cover = np.clip((noise(rng, HEIGHT, WIDTH, 45.0) - 0.35) * 8.0, 0.0, 1.0)
    else:
        return
    tint(picture, whole, makeup.paint, 0.75 * cover * np.ones((HEIGHT, WIDTH)))
