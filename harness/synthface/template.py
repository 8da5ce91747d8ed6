"""The average face: positions of the 98 points on a neutral, frontal head.

Head coordinates: x to the image's right, y down, z towards the viewer; the origin is midway between the
outer eye corners and the unit is one percent of the distance between them. Only the image-left half is
written down; the other half is its mirror.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from nmebench.geometry import scheme

Array = npt.NDArray[np.float64]

POINTS: Final = 98
JAW: Final = slice(0, 33)
RIGHT_BROW: Final = slice(33, 42)
LEFT_BROW: Final = slice(42, 51)
NOSE_LINE: Final = slice(51, 55)
NOSE_BASE: Final = slice(55, 60)
RIGHT_EYE: Final = slice(60, 68)
LEFT_EYE: Final = slice(68, 76)
OUTER_LIP: Final = slice(76, 88)
INNER_LIP: Final = slice(88, 96)
RIGHT_PUPIL: Final = 96
LEFT_PUPIL: Final = 97
CHIN: Final = 16

_FLIP: Final = scheme.load("wflw98").flip

_HALF: Final[dict[int, tuple[float, float, float]]] = {
    0: (-79, -4, -70), 1: (-79, 7, -69), 2: (-78, 18, -69), 3: (-77, 29, -68), 4: (-75.5, 40, -67),
    5: (-73.5, 51, -65), 6: (-71, 62, -62), 7: (-67.5, 72, -58), 8: (-63, 82, -53), 9: (-57.5, 91, -47),
    10: (-51, 99.5, -41), 11: (-44, 107, -35), 12: (-36, 113.5, -28), 13: (-27.5, 118.5, -21),
    14: (-18.5, 122, -14), 15: (-9.3, 124, -8), 16: (0, 124.7, -5),
    33: (-61, -14.5, -3), 34: (-50, -23.5, 3), 35: (-38.5, -24.5, 9), 36: (-27, -23, 14), 37: (-15.5, -20, 17),
    38: (-15.5, -13, 17), 39: (-27, -15.5, 13), 40: (-38.5, -17, 9), 41: (-50, -16.5, 3),
    51: (0, -0.5, 21), 52: (0, 14, 29), 53: (0, 28, 37), 54: (0, 41.5, 45),
    55: (-17.5, 47, 18), 56: (-8.5, 49.5, 23), 57: (0, 51, 26),
    60: (-50, 0, 0), 61: (-43.5, -5.2, 4), 62: (-36, -7.2, 7), 63: (-27, -5.6, 8), 64: (-19.7, 1.2, 8),
    65: (-27.5, 3.6, 7), 66: (-36, 4.4, 6), 67: (-43.5, 3.2, 3),
    76: (-30.5, 72.8, -1), 77: (-19, 67.8, 11), 78: (-6, 65.5, 20), 79: (0, 66.5, 21), 85: (0, 84.5, 13),
    86: (-12.5, 82.8, 9), 87: (-22.5, 78.2, 3), 88: (-28.2, 72.9, -1), 89: (-14.5, 72.4, 10), 90: (0, 72.8, 15),
    94: (0, 74, 13), 95: (-14.5, 73.7, 8), 96: (-35.5, -0.7, 7),
}  # fmt: skip


def _mirrored() -> Array:
    points = np.zeros((POINTS, 3))
    for index, position in _HALF.items():
        points[index] = position
        points[_FLIP[index]] = (-position[0], position[1], position[2])
    points.flags.writeable = False
    return points


AVERAGE: Final[Array] = _mirrored()
"""[98, 3] the neutral mouth is closed; expressions open it."""
