"""Eleven faces in seven photographs, in WFLW's layout."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

__all__ = ["FACES", "write_few_faces"]

FACES = 11


def write_few_faces(root: Path) -> Path:
    """Write the faces into a new folder and return it."""
    listing = root / "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt"
    listing.parent.mkdir(parents=True)
    (root / "WFLW_images").mkdir()
    generator = np.random.default_rng(5)
    lines = []
    for face in range(FACES):
        name = f"{(face * 5) % 7}.jpg"
        pixels = generator.integers(0, 255, (150, 160, 3), np.uint8)
        cv2.imwrite(str(root / "WFLW_images" / name), cv2.GaussianBlur(pixels, (9, 9), 0))
        points = generator.uniform(30, 110, (98, 2))
        attributes = [int((face + bit) % 3 == 0) for bit in range(6)]
        tokens = [*(f"{v:.6f}" for v in points.ravel()), "28", "27", "115", "113", *map(str, attributes), name]
        lines.append(" ".join(tokens))
    listing.write_text("\n".join(lines) + "\n")
    return root
