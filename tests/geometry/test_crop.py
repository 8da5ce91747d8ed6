"""Crops: bit-identical with mmpose, and close to a slow bilinear reference."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from nmebench import boxes, datasets
from nmebench.errors import InputError
from nmebench.geometry import Geometry, images
from nmebench.geometry.crop import crop, normalise
from nmebench.geometry.warp import warp_matrix

assert cv2.__version__.split(".")[0] == "4", "OpenCV 5 samples differently: the reference outputs are from 4.11 to 4.14"

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def mmpose_warp(center: np.ndarray, scale: np.ndarray, rot: float, output: tuple[int, int]) -> np.ndarray:
    """Follow mmpose 1.x's ``get_warp_matrix`` step by step."""
    angle = np.deg2rad(rot)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    points = []
    for middle, up in (
        (np.float32(center), turn @ np.array([scale[0] * -0.5, 0.0])),
        (np.array([output[0] * 0.5, output[1] * 0.5]), np.array([output[0] * -0.5, 0.0])),
    ):
        corners = np.zeros((3, 2), dtype=np.float32)
        corners[0] = middle
        corners[1] = middle + up
        direction = corners[0] - corners[1]
        corners[2] = corners[1] + np.r_[-direction[1], direction[0]]
        points.append(corners)
    return cv2.getAffineTransform(*points)


def slow_bilinear(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Sample bilinearly in float64, with zeros outside."""
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    padded = np.zeros((image.shape[0] + 2, image.shape[1] + 2, 3))
    padded[1:-1, 1:-1] = image
    out = np.zeros((size[1], size[0], 3))
    for row in range(size[1]):
        for column in range(size[0]):
            x, y, _ = inverse @ [column, row, 1]
            left, top = math.floor(x), math.floor(y)
            if -1 <= left < image.shape[1] and -1 <= top < image.shape[0]:
                a, b = x - left, y - top
                four = padded[top + 1 : top + 3, left + 1 : left + 3]
                out[row, column] = (1 - b) * ((1 - a) * four[0, 0] + a * four[0, 1])
                out[row, column] += b * ((1 - a) * four[1, 0] + a * four[1, 1])
    return out


@pytest.fixture
def photograph() -> np.ndarray:
    rng = np.random.default_rng(8)
    return cv2.resize(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8), (300, 200))


def test_warp_matrices_of_four_real_faces_equal_mmpose(shared: Path) -> None:
    for face in json.loads((shared / "oracle" / "preproc" / "faces4.json").read_text())["faces"]:
        box = (face["input_center"], face["input_scale"], (256, 256))
        # The solver's last bits depend on the processor: 1e-9 of translations near 1000 px.
        np.testing.assert_array_equal(warp_matrix(*box), np.array(face["warp"]))
        udp = warp_matrix(*box, convention="udp")
        np.testing.assert_array_equal(udp, np.array(face["warp_udp"], dtype=np.float32))


@pytest.mark.parametrize("rotation", [0.0, 30.0, -80.0, 180.0])
def test_warp_matrix_is_bit_identical_with_mmpose(rotation: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        centre, side = rng.uniform(-50, 900, 2), rng.uniform(5, 900)
        size = np.array([side, side * 256 / 192])
        ours = warp_matrix(centre, size, (192, 256), rotation=rotation)
        theirs = mmpose_warp(np.float32(centre), np.float32(size), rotation, (192, 256))
        np.testing.assert_array_equal(ours, theirs)


def test_warp_matrix_agrees_with_image_to_input() -> None:
    box = {"centre": [150.3, 120.7], "size": [220.0, 220.0]}
    points = np.random.default_rng(2).uniform(0, 300, (1, 50, 2))
    for convention in ("stride", "udp"):
        matrix = warp_matrix(**box, input_size=(256, 256), convention=convention)
        warped = cv2.transform(points, np.asarray(matrix, dtype=np.float64))
        mapped = Geometry([box["centre"]], [box["size"]], (256, 256), crop=convention).image_to_input(points)
        np.testing.assert_allclose(warped, mapped, atol=1e-4)


def test_crops_of_real_faces_equal_mmpose_steps(shared: Path) -> None:
    """Faces of the sample against mmpose's steps; equal in every byte."""
    dataset = datasets.load(f"wflw:{shared / 'wflw-sample'}", limit=20)
    made = boxes.create("landmarks")(dataset)
    assert dataset.image_root is not None
    for face, name in enumerate(dataset.images):
        image = images.read(dataset.image_root / name)
        np.testing.assert_array_equal(image, cv2.imread(str(dataset.image_root / name)))
        matrix = mmpose_warp(np.float32(made.centre[face]), np.float32(made.size[face]), 0.0, (256, 256))
        expected = cv2.warpAffine(image, matrix, (256, 256), flags=cv2.INTER_LINEAR)
        found = crop(image, made.centre[face], made.size[face], (256, 256), made.sampling)
        np.testing.assert_array_equal(found, expected)


def test_crop_of_reencoded_photograph_is_aligned_with_mmpose(shared: Path) -> None:
    """The sample's copy of one of mmpose's photographs has other JPEG noise, yet no shift of it fits better."""
    folder = shared / "oracle" / "preproc"
    photograph = images.read(shared / "wflw-sample/WFLW_images/7--Cheering/7_Cheering_Cheering_7_16.jpg")
    table = json.loads((folder / "faces4.json").read_text())["faces"]
    with np.load(folder / "faces4.npz") as arrays:
        theirs = arrays["crops_bgr_u8"]
    for index, face in enumerate(table):
        if face["img"] != "7_Cheering_Cheering_7_16.jpg":
            continue
        ours = crop(photograph, face["input_center"], face["input_scale"], (256, 256)).astype(float)
        inner = (slice(4, -4), slice(4, -4))
        gaps = {
            (x, y): np.abs(np.roll(ours, (y, x), (0, 1)) - theirs[index])[inner].mean()
            for x in (-1, 0, 1)
            for y in (-1, 0, 1)
        }
        assert min(gaps, key=gaps.__getitem__) == (0, 0)
        assert gaps[0, 0] < 3


@pytest.mark.parametrize(
    ("centre", "size"),
    [
        pytest.param((150.3, 100.7), (91.0, 91.0), id="inside"),
        pytest.param((3.0, 196.0), (60.0, 60.0), id="over a corner"),
        pytest.param((900.0, 900.0), (60.0, 60.0), id="outside"),
        pytest.param((150.0, 100.0), (900.0, 900.0), id="larger than the photograph"),
    ],
)
def test_affine_crop_is_close_to_slow_bilinear(
    photograph: np.ndarray, centre: tuple[float, float], size: tuple[float, float]
) -> None:
    found = crop(photograph, centre, size, (48, 48))
    slow = slow_bilinear(photograph, warp_matrix(centre, size, (48, 48)), (48, 48))
    # OpenCV rounds positions to 1/32 px: an error of half of that times the local slope, and rounding.
    slope = max(np.abs(np.diff(photograph.astype(float), axis=axis)).max() for axis in (0, 1))
    assert np.abs(found - slow).max() <= 0.5 + 2 * slope / 64 + 1
    assert np.abs(found - slow).mean() < 0.5


def test_affine_crop_of_whole_pixel_box_is_a_slice(photograph: np.ndarray) -> None:
    np.testing.assert_array_equal(crop(photograph, (100, 90), (64, 64), (64, 64)), photograph[58:122, 68:132])


@pytest.mark.parametrize(
    ("centre", "side"),
    [
        pytest.param((100.5, 90.5), 63, id="inside"),
        pytest.param((1.0, 2.0), 40, id="over the upper left corner"),
        pytest.param((299.0, 199.0), 40, id="over the lower right corner"),
        pytest.param((-500.0, -500.0), 40, id="outside"),
    ],
)
def test_resize_crop_equals_pfld(photograph: np.ndarray, centre: tuple[float, float], side: int) -> None:
    """Follow PFLD's steps: copyMakeBorder, slice, resize."""
    left, top = int(centre[0] - side / 2), int(centre[1] - side / 2)
    bordered = cv2.copyMakeBorder(photograph, 600, 600, 600, 600, cv2.BORDER_CONSTANT, value=0)
    expected = cv2.resize(bordered[top + 600 : top + 600 + side, left + 600 : left + 600 + side], (112, 112))
    middle = (left + side / 2, top + side / 2)
    np.testing.assert_array_equal(crop(photograph, middle, (side, side), (112, 112), "resize"), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"size": (0.0, 5.0)}, "empty or not finite", id="no width"),
        pytest.param({"size": (-5.0, -5.0)}, "empty or not finite", id="negative"),
        pytest.param({"centre": (math.nan, 5.0)}, "empty or not finite", id="nan"),
        pytest.param({"centre": (1.0, 2.0, 3.0)}, "not \\(3,\\)", id="three numbers"),
        pytest.param({"size": (10.0, 20.0)}, "another aspect ratio than the 64 x 64 input", id="another aspect ratio"),
        pytest.param({"size": (1e5, 1e5), "sampling": "resize"}, "1 to 32766 px", id="too large to cut"),
        pytest.param({"size": (0.2, 0.2), "sampling": "resize"}, "1 to 32766 px", id="below a pixel"),
        pytest.param({"sampling": "nearest"}, "unknown sampling 'nearest'", id="unknown sampling"),
        pytest.param({"convention": "uqp"}, "unknown crop convention 'uqp'.*'udp'", id="unknown convention"),
    ],
)
def test_unusable_boxes_are_refused(photograph: np.ndarray, arguments: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"centre": (50.0, 50.0), "size": (40.0, 40.0), "input_size": (64, 64)}
    with pytest.raises(InputError, match=message):
        crop(photograph, **{**usual, **arguments})


def test_normalise_is_bit_identical_with_mmpose(shared: Path) -> None:
    with np.load(shared / "oracle" / "preproc" / "faces4.npz") as table:
        crops, expected = table["crops_bgr_u8"], table["input_tensor"]
    before = crops.copy()
    found = normalise(crops, MEAN, STD, "rgb")
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(crops, before)
    assert found.flags.c_contiguous


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_normalise_value_by_value(colour: str) -> None:
    crops = np.random.default_rng(4).integers(0, 256, (2, 3, 4, 3), dtype=np.uint8)
    found = normalise(crops, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), colour)
    for n, y, x, c in np.ndindex(2, 3, 4, 3):
        value = crops[n, y, x, 2 - c if colour == "rgb" else c]
        assert found[n, c, y, x] == pytest.approx((float(value) - (c + 1)) / (c + 4), abs=1e-6)


def test_normalise_refuses_unknown_colours_and_zero_std() -> None:
    crops = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="unknown colour order 'hsv'"):
        normalise(crops, MEAN, STD, "hsv")
    with pytest.raises(InputError, match="std above 0"):
        normalise(crops, MEAN, (1.0, 0.0, 1.0), "rgb")
