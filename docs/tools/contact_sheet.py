"""Draw sixty faces on one sheet, ten per attribute, with their landmarks.

``python docs/tools/contact_sheet.py OUT.jpg`` writes the sheet.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from nmebench.synthface.attributes import Attributes
from nmebench.synthface.face import SynthFace, draw

TILE: Final = 150
COLUMNS: Final = 10
TITLE: Final = 22


def contact_sheet(path: Path, *, seed: int = 6, landmarks: bool = True, quality: int = 88) -> Path:
    """Write the sheet with one row per attribute; each row has only that attribute switched on."""
    rows = []
    for place, name in enumerate(Attributes._fields):
        alone = Attributes(*(other == place for other in range(6)))
        tiles = [_tile(draw(seed, "test", COLUMNS * place + i, alone), landmarks) for i in range(COLUMNS)]
        title = np.full((TITLE, TILE * COLUMNS, 3), 255, np.uint8)
        cv2.putText(title, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 1, cv2.LINE_AA)
        rows += [title, np.hstack(tiles)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return path


def _tile(face: SynthFace, landmarks: bool) -> npt.NDArray[np.uint8]:
    """The face, cropped with a margin."""
    low, high = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
    zoom = TILE / (1.3 * float((high - low).max()))
    shift = 0.5 * TILE - zoom * 0.5 * (low + high)
    matrix = np.array([[zoom, 0.0, shift[0]], [0.0, zoom, shift[1]]])
    tile = np.asarray(
        cv2.warpAffine(face.image, matrix, (TILE, TILE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.uint8,
    )
    if landmarks:
        for x, y in face.landmarks * zoom + shift:
            cv2.circle(tile, (round(16 * x), round(16 * y)), 18, (80, 255, 80), -1, cv2.LINE_AA, 4)
    return tile


if __name__ == "__main__":
    contact_sheet(Path(sys.argv[1]))
