"""H3R's boxes and its crop against slow references in the authors' steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from nmebench import boxes, datasets
from nmebench.errors import InputError
from nmebench.geometry import crop

PADDINGS = [1.25, 1.0]


def slow_box(low: list[float], high: list[float], padding: float) -> tuple[list[float], float]:
    """Origin and side of one face."""
    side = padding * (max(high[0] - low[0], high[1] - low[1]) + 1)
    return [(low[axis] + high[axis] - side + 1) / 2 for axis in (0, 1)], side


@pytest.fixture
def points() -> np.ndarray:
    rng = np.random.default_rng(7)
    return rng.uniform(-20, 300, (40, 1, 2)) + rng.normal(size=(40, 98, 2)) * rng.uniform(1, 90, (40, 1, 1))


@pytest.mark.parametrize("padding", PADDINGS)
def test_landmarks_rule(faces: Any, points: np.ndarray, padding: float) -> None:
    found = boxes.create("h3r-landmarks", padding)(faces(points))
    for face, one in enumerate(points):
        origin, side = slow_box(one.min(axis=0).tolist(), one.max(axis=0).tolist(), padding)
        np.testing.assert_allclose(found.centre[face] - found.size[face] / 2, origin, rtol=0, atol=1e-10)
        np.testing.assert_allclose(found.size[face], [side, side], rtol=1e-14)
    assert found.sampling == "pil-bilinear"
    assert found.resampled(None) is found.resampled("pil-bilinear") is found


def test_rect_rule(faces: Any, points: np.ndarray) -> None:
    rect = np.concatenate([np.floor(points.min(axis=1)), np.ceil(points.max(axis=1))], axis=1)
    found = boxes.create("h3r-rect")(faces(points, rect=rect))
    for face, one in enumerate(rect):
        origin, side = slow_box(one[:2].tolist(), one[2:].tolist(), 1.25)
        np.testing.assert_allclose(found.centre[face] - found.size[face] / 2, origin, rtol=0, atol=1e-10)
        assert found.size[face].tolist() == [side, side]


def test_rect_rule_without_rectangles_names_the_other_box(faces: Any, points: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"use --box h3r-landmarks.*official-attr"):
        boxes.create("h3r-rect")(faces(points))


def test_faces_without_an_extent_are_refused(faces: Any) -> None:
    landmarks = np.zeros((2, 98, 2))
    landmarks[0, 5] = 30
    with pytest.raises(InputError, match=r":2: the box 'h3r-landmarks' of this face is empty"):
        boxes.create("h3r-landmarks")(faces(landmarks))


@pytest.mark.parametrize("origin", [(10.3, 20.7), (-30.6, 12.4), (150.2, -7.9)])
@pytest.mark.parametrize("side", [40.4, 97.0, 301.6])
def test_the_crop_is_pillows(origin: tuple[float, float], side: float) -> None:
    """Corners rounded to whole pixels, zeros outside, then Pillow's bilinear resize, which smooths when it shrinks."""
    image = np.random.default_rng(0).integers(0, 255, (180, 200, 3), np.uint8)
    corners = (*origin, origin[0] + side, origin[1] + side)
    expected = PIL.Image.fromarray(image).crop(tuple(round(at) for at in corners))
    expected = expected.resize((64, 64), PIL.Image.Resampling.BILINEAR)
    centre = np.asarray(origin) + side / 2
    found = crop.crop(image, centre, (side, side), (64, 64), "pil-bilinear")
    np.testing.assert_array_equal(found, np.asarray(expected))


def test_boxes_of_143_real_faces_equal_the_authors(shared: Path) -> None:
    if not (shared / "oracle/h3r").is_dir():
        pytest.skip("the authors' rectangles (../shared/oracle/h3r) are missing")
    found = boxes.create("h3r-landmarks")(datasets.load(f"wflw:{shared / 'wflw-sample'}"))
    with np.load(shared / "oracle/h3r/sample143.npz") as stored:
        expected = stored["crop_rect_image_px"]
    corners = np.concatenate([found.centre - found.size / 2, found.centre + found.size / 2], axis=1)
    np.testing.assert_allclose(corners, expected, rtol=0, atol=2e-4)
