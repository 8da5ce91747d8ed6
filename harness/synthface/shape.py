"""Identity and expression: smooth displacements of the average face's 98 points.

Every displacement is a smooth function of a few coefficients: a landmark never moves independently of the drawing
around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmebench.synthface.template import (
    AVERAGE,
    INNER_LIP,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_PUPIL,
    NOSE_BASE,
    NOSE_LINE,
    OUTER_LIP,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_PUPIL,
    Array,
)

EYES = ((RIGHT_EYE, RIGHT_PUPIL, -1.0), (LEFT_EYE, LEFT_PUPIL, 1.0))
BROWS = ((RIGHT_BROW, -1.0), (LEFT_BROW, 1.0))


@dataclass(frozen=True)
class Identity:
    """Shape coefficients, standard normal unless noted otherwise."""

    face_width: float
    face_length: float
    jaw_square: float
    chin_point: float
    eye_size: float
    eye_height: float
    eye_tilt: float
    eye_spacing: float
    brow_height: float
    brow_thickness: float
    brow_arch: float
    brow_tilt: float
    nose_length: float
    nose_width: float
    nose_depth: float
    mouth_height: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    depth: float
    asymmetry: float


@dataclass(frozen=True)
class Expression:
    """Activations: 0 is neutral, 1 is strong; the signed ones run from -1 to 1."""

    jaw_open: float
    smile: float
    """Negative turns the corners of the mouth down."""
    teeth: float
    pucker: float
    lips_aside: float
    brow_raise: float
    """Negative is a frown."""
    lids: float
    """-1 is closed, 0 neutral, 1 wide open."""
    wink: float
    gaze_x: float
    gaze_y: float


def draw_identity(rng: np.random.Generator) -> Identity:
    """Draw independent coefficients, clipped to the range that gives plausible faces."""
    return Identity(*np.clip(rng.normal(size=21), -2.5, 2.5).tolist())


def draw_expression(rng: np.random.Generator, strong: bool) -> Expression:
    """Draw an everyday expression (often a smile, as in photographs) or a strong one."""
    unit = rng.uniform
    gaze_x, gaze_y = rng.normal(0.0, 0.4, size=2).clip(-1, 1)
    blink = unit() < 0.07
    if not strong:
        smiling, parted = unit() < 0.55, unit() < 0.6
        return Expression(
            jaw_open=unit(0.02, 0.38) if parted else 0.0,
            smile=unit(0.2, 1.0) if smiling else unit(-0.4, 0.25),
            teeth=unit(0.3, 1.0) if smiling and parted else unit(0.0, 0.12),
            pucker=unit(0.0, 0.15),
            lips_aside=rng.normal(0.0, 0.12),
            brow_raise=unit(-0.35, 0.4),
            lids=-1.0 if blink else unit(-0.45, 0.4),
            wink=0.0,
            gaze_x=gaze_x,
            gaze_y=gaze_y,
        )
    kind = int(rng.integers(6))
    jaw = (unit(0.6, 1.1), unit(0.35, 0.8), unit(0.0, 0.3), unit(0.1, 0.5), unit(0.5, 1.1), unit(0.0, 0.4))[kind]
    smile = (unit(-0.2, 0.5), unit(0.7, 1.2), unit(-0.3, 0.2), unit(-1.1, -0.5), unit(-0.5, 0.4), unit(0.2, 1.1))[kind]
    return Expression(
        jaw_open=jaw,
        smile=smile,
        teeth=unit(0.6, 1.0) if kind in (1, 3) else unit(0.0, 0.3),
        pucker=unit(0.5, 1.0) if kind == 2 else unit(0.0, 0.15),
        lips_aside=rng.normal(0.0, 0.7 if kind == 5 else 0.2),
        brow_raise=unit(0.4, 1.0) if kind in (0, 2) else unit(-1.0, 0.3),
        lids=unit(0.3, 1.0) if kind in (0, 2) else (-1.0 if unit() < 0.3 else unit(-0.8, 0.2)),
        wink=1.0 if kind == 5 and unit() < 0.5 else 0.0,
        gaze_x=gaze_x,
        gaze_y=gaze_y,
    )


def frontal_points(identity: Identity, expression: Expression) -> Array:
    """[98, 3] the points of this face seen from the front, in head coordinates."""
    points = AVERAGE.copy()
    _shape_outline(points, identity)
    _shape_eyes(points, identity)
    _shape_brows(points, identity)
    _shape_nose(points, identity)
    _shape_mouth(points, identity)
    points[:, 0] *= 1.0 + 0.012 * identity.asymmetry * np.sign(points[:, 0])
    points[:, 2] *= 1.0 + 0.06 * identity.depth
    _express_mouth(points, expression)
    _express_brows(points, expression)
    _express_eyes(points, expression)
    return points


def _shape_outline(points: Array, k: Identity) -> None:
    jaw = points[JAW]
    down = np.clip(jaw[:, 1] / 124.7, 0.0, 1.0)
    jaw[:, 0] *= 1.0 + 0.065 * k.face_width
    jaw[:, 0] *= 1.0 + 0.07 * k.jaw_square * np.sin(np.pi * down**1.5) - 0.05 * k.chin_point * down**2
    jaw[:, 1] *= 1.0 + 0.055 * k.face_length + 0.02 * k.chin_point * down**3


def _shape_eyes(points: Array, k: Identity) -> None:
    for eye, pupil, side in EYES:
        lids = points[eye]
        centre_x = 35.0 * side
        along = (lids[:, 0] - centre_x) * side / 15.0
        # The eye corners do not move: their distance is the unit of length.
        lids[:, 1] *= 1.0 + 0.16 * k.eye_height
        tilt = 0.9 * k.eye_tilt * (1.0 - along) / 2.0 + 0.5 * k.eye_tilt
        lids[:, 1] += tilt
        lids[:, 0] += side * (0.9 * k.eye_spacing + 0.7 * k.eye_size) * (1.0 - along) / 2.0
        points[pupil, 0] += side * 0.5 * k.eye_spacing
        points[pupil, 1] += 0.9 * k.eye_tilt


def _shape_brows(points: Array, k: Identity) -> None:
    for brow, side in BROWS:
        hairs = points[brow]
        along = (np.abs(hairs[:, 0]) - 38.0) / 23.0  # -1 inner end, 1 outer end
        middle_y = -19.0 + 1.5 * along**2
        hairs[:, 1] = middle_y + (hairs[:, 1] - middle_y) * (1.0 + 0.18 * k.brow_thickness)
        hairs[:, 1] += 2.6 * k.brow_height + 1.6 * k.brow_tilt * along
        hairs[:, 1] -= 1.5 * k.brow_arch * (1.0 - along**2)
        hairs[:, 0] += side * 1.3 * k.eye_spacing * (1.0 - along) / 2.0


def _shape_nose(points: Array, k: Identity) -> None:
    for part in (NOSE_LINE, NOSE_BASE):
        nose = points[part]
        down = np.clip(nose[:, 1] / 51.0, 0.0, 1.0)
        nose[:, 1] += 3.0 * k.nose_length * down
        nose[:, 0] *= 1.0 + 0.12 * k.nose_width
        nose[:, 2] *= 1.0 + 0.11 * k.nose_depth * down
    points[NOSE_LINE, 0] += 0.6 * k.asymmetry


def _shape_mouth(points: Array, k: Identity) -> None:
    mouth = points[OUTER_LIP.start : INNER_LIP.stop]
    mouth[:, 0] *= 1.0 + 0.1 * k.mouth_width
    line = 73.2
    above = mouth[:, 1] < line
    mouth[:, 1] = np.where(
        above,
        line + (mouth[:, 1] - line) * (1.0 + 0.2 * k.upper_lip),
        line + (mouth[:, 1] - line) * (1.0 + 0.18 * k.lower_lip),
    )
    mouth[:, 1] += 1.6 * k.mouth_height + 2.4 * k.nose_length + 2.2 * k.face_length
    mouth[:, 0] += 0.8 * k.asymmetry


def _express_mouth(points: Array, e: Expression) -> None:
    mouth = points[OUTER_LIP.start : INNER_LIP.stop]
    half = np.abs(mouth[0, 0] - mouth[6, 0]) / 2.0
    middle = (mouth[0, 0] + mouth[6, 0]) / 2.0
    across = np.clip((mouth[:, 0] - middle) / half, -1.0, 1.0)
    round_off = np.sqrt(np.clip(1.0 - across**2, 0.0, 1.0))
    lower = np.zeros(20, bool)
    lower[[7, 8, 9, 10, 11, 17, 18, 19]] = True
    upper = ~lower
    upper[[0, 6, 12, 16]] = False
    corner_pull = e.smile * np.abs(across) ** 1.5
    mouth[:, 0] += np.sign(across) * np.abs(across) * half * (0.24 * e.smile - 0.33 * e.pucker - 0.12 * e.jaw_open)
    mouth[:, 1] -= 6.0 * corner_pull
    mouth[:, 2] += -7.0 * np.maximum(e.smile, 0.0) * np.abs(across) ** 2 + 9.0 * e.pucker
    # A smile flattens the upper lip and bares the teeth; the jaw takes the lower lip down.
    mouth[upper, 1] -= (2.0 * e.jaw_open + 4.2 * e.teeth) * round_off[upper]
    mouth[lower, 1] += (30.0 * e.jaw_open + 6.5 * e.teeth) * round_off[lower]
    mouth[[0, 6, 12, 16], 1] += 9.0 * e.jaw_open
    mouth[lower, 2] -= 8.0 * e.jaw_open
    thicken = 1.0 + 0.35 * e.pucker - 0.22 * max(e.smile, 0.0)
    pairs = ((1, 13), (2, 13), (3, 14), (4, 15), (5, 15), (7, 17), (8, 17), (9, 18), (10, 19), (11, 19))
    for outer, inner in pairs:
        mouth[outer, 1] = mouth[inner, 1] + (mouth[outer, 1] - mouth[inner, 1]) * thicken
    mouth[:, 0] += 5.0 * e.lips_aside
    mouth[:, 1] += 1.5 * e.lips_aside * across
    jaw = points[JAW]
    drop = np.clip(jaw[:, 1] / 124.7, 0.0, 1.2) ** 2
    jaw[:, 1] += 24.0 * e.jaw_open * drop
    jaw[:, 0] *= 1.0 - 0.05 * e.jaw_open * drop
    jaw[:, 2] -= 8.0 * e.jaw_open * drop
    points[NOSE_BASE, 0] *= 1.0 + 0.06 * e.smile
    points[NOSE_BASE, 1] -= 1.0 * e.smile


def _express_brows(points: Array, e: Expression) -> None:
    raised, frown = max(e.brow_raise, 0.0), max(-e.brow_raise, 0.0)
    for brow, side in BROWS:
        hairs = points[brow]
        along = (np.abs(hairs[:, 0]) - 38.0) / 23.0
        hairs[:, 1] -= 9.0 * raised * (1.0 - 0.25 * along)
        hairs[:, 1] += frown * (4.5 - 2.5 * along)
        hairs[:, 0] -= side * 3.0 * frown * (1.0 - along) / 2.0


def _express_eyes(points: Array, e: Expression) -> None:
    for eye, pupil, side in EYES:
        lids = points[eye]
        opening = -1.0 if e.wink and side < 0 else e.lids
        corners = (lids[0, 1] * 0.5 + lids[4, 1] * 0.5) if side < 0 else (lids[4, 1] + lids[0, 1]) * 0.5
        factor = 1.0 + 0.38 * opening if opening > 0 else 1.0 + 0.75 * opening
        lower_curve = lids[:, 1] > corners
        sink = 3.6 * max(-opening, 0.0)  # a closing upper lid comes down onto the lower one
        height = lids[:, 1] - corners
        cheek = 1.0 - 0.25 * max(e.smile, 0.0)
        sagging = np.sqrt(np.clip(1.0 - ((lids[:, 0] - lids[[0, 4], 0].mean()) / 15.2) ** 2, 0.0, 1.0))
        upper_height = height * factor * (1.0 - 0.1 * max(e.smile, 0.0)) + sink * sagging
        lids[:, 1] = corners + np.where(lower_curve, height * cheek, np.minimum(upper_height, 3.0 * sagging))
        tops, bottoms = ([1, 2, 3], [7, 6, 5])
        lids[tops, 1] = np.minimum(lids[tops, 1], lids[bottoms, 1] - 0.25)
        points[pupil, 0] += 4.6 * e.gaze_x
        middle = (lids[2, 1] + lids[6, 1]) / 2.0
        points[pupil, 1] = middle + 1.6 * e.gaze_y * np.clip((lids[6, 1] - lids[2, 1]) / 10.0, 0.0, 1.2)
