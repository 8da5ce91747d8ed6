"""Faces are reproducible, and their attributes are visible."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from nmebench.synthface import Attributes, SynthFace, attributes_of, draw

GOLDEN_IMAGE = "c2d32db7d0e0712889008312cf8554b4806b1c8de578215264ba8799e123bf84"
GOLDEN_POINTS = {
    0: (69.799884, 96.964102),
    16: (123.046204, 191.887061),
    54: (105.969681, 144.125875),
    96: (86.615738, 102.914763),
}
SCRIPT = """
import cv2, hashlib, sys
if sys.argv[1] == "plain":
    cv2.setUseOptimized(False)
    cv2.setNumThreads(1)
from nmebench.synthface import draw
for index in (7, 0):
    face = draw(98, "test", index)
    print(hashlib.sha256(face.image.tobytes() + face.landmarks.tobytes()).hexdigest())
"""


def hash_of(face: SynthFace) -> str:
    return hashlib.sha256(face.image.tobytes() + face.landmarks.tobytes()).hexdigest()


def test_a_known_face_is_still_the_same() -> None:
    """If this fails, published numbers no longer hold: increment RENDERER_VERSION and measure everything again."""
    face = draw(98, "test", 0)
    for point, place in GOLDEN_POINTS.items():
        assert face.landmarks[point] == pytest.approx(place, abs=1e-5)
    assert hashlib.sha256(face.image.tobytes()).hexdigest() == GOLDEN_IMAGE


@pytest.mark.parametrize("how", ["as it comes", "plain"])
def test_another_process_draws_the_same_bytes(how: str) -> None:
    """Faces are the same without AVX2 and AVX-512, with one thread and in another order."""
    here = [hash_of(draw(98, "test", index)) for index in (0, 7)]
    environment = dict(os.environ)
    if how == "plain":
        environment["NPY_DISABLE_CPU_FEATURES"] = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR AVX2 AVX512F"
        environment["OPENCV_CPU_DISABLE"] = "AVX512-SKX,AVX2,FP16,AVX"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, how],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == here[::-1]


def test_seed_split_and_index_each_change_the_face() -> None:
    faces = [draw(1, "test", 0), draw(2, "test", 0), draw(1, "train", 0), draw(1, "test", 1)]
    assert len({hash_of(face) for face in faces}) == 4


def test_a_face_is_well_formed() -> None:
    for index in range(6):
        face = draw(3, "train", index)
        height, width, channels = face.image.shape
        assert face.image.dtype == np.uint8
        assert channels == 3
        assert face.landmarks.shape == (98, 2)
        assert face.landmarks.min() >= 0
        assert (face.landmarks <= [width - 1, height - 1]).all()
        x0, y0, x1, y1 = face.rect
        assert 0 <= x0 < x1 < width
        assert 0 <= y0 < y1 < height
        # Right eye, left eye, mouth: in WFLW's order.
        upright = draw(3, "train", index, Attributes()).landmarks
        assert upright[60, 0] < upright[64, 0] < upright[68, 0] < upright[72, 0]
        assert upright[35, 1] < upright[62, 1] < upright[54, 1] < upright[85, 1] < upright[16, 1]


def test_attributes_are_as_frequent_as_in_wflw() -> None:
    flags = attributes_of(4, "test", 1000)
    assert flags.shape == (1000, 6)
    assert flags[:500].sum(axis=0).tolist() == [65, 63, 140, 41, 147, 155]
    assert flags[500:].sum(axis=0).tolist() == [65, 63, 140, 41, 147, 155]
    for faces in (60, 130, 777):
        wanted = np.array([65, 63, 140, 41, 147, 155]) * faces / 500
        assert (np.abs(flags[:faces].sum(axis=0) - wanted) <= 1.5).all()
    assert (attributes_of(4, "test", 60) == flags[:60]).all()
    assert draw(4, "test", 11).attributes == tuple(flags[11])


@pytest.mark.parametrize("name", Attributes._fields)
def test_an_attribute_changes_the_picture(name: str) -> None:
    before, after = draw(5, "test", 2, Attributes()), draw(5, "test", 2, Attributes(**{name: True}))
    moved = np.abs(before.landmarks - after.landmarks).max()
    if name in ("pose", "expression"):
        assert moved > 3.0
        return
    # The other attributes change the picture, not the landmarks.
    assert moved == 0.0
    x0, y0, x1, y1 = before.rect
    difference = before.image[y0:y1, x0:x1].astype(int) - after.image[y0:y1, x0:x1]
    assert np.abs(difference).mean() > 2.0


def test_blur_takes_detail_away() -> None:
    def sharpness(face: SynthFace) -> float:
        x0, y0, x1, y1 = face.rect
        grey = cv2.cvtColor(cv2.blur(face.image, (3, 3)), cv2.COLOR_BGR2GRAY)[y0:y1, x0:x1]
        return float(cv2.Laplacian(grey, cv2.CV_64F).var())

    sharp = [sharpness(draw(6, "test", index, Attributes())) for index in range(5)]
    soft = [sharpness(draw(6, "test", index, Attributes(blur=True))) for index in range(5)]
    assert np.mean(soft) < np.mean(sharp)
