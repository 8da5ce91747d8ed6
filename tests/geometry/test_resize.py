"""Crops that are cut out and resized: equal to OpenCV and Pillow, and placed as the half-pixel map says."""

from __future__ import annotations

import math

import cv2
import numpy as np
import PIL.Image
import pytest

from nmebench.errors import InputError
from nmebench.geometry import Geometry
from nmebench.geometry.crop import crop
from nmebench.geometry.resize import cut, resize, whole_pixels
from nmebench.geometry.warp import warp_matrix
from nmebench.protocol import SAMPLINGS

RESIZES = [sampling for sampling in SAMPLINGS if sampling != "affine"]


def _photograph(height: int = 60, width: int = 90) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_resizes_equal_opencv_and_pillow() -> None:
    patch = _photograph()
    for size in ((32, 24), (200, 120), (90, 60), (17, 200)):
        assert np.array_equal(resize(patch, size, "resize"), cv2.resize(patch, size, interpolation=cv2.INTER_LINEAR))
        assert np.array_equal(resize(patch, size, "resize-area"), cv2.resize(patch, size, interpolation=cv2.INTER_AREA))
        # torchvision.transforms.Resize on a PIL image calls the same.
        as_rgb = PIL.Image.fromarray(patch[..., ::-1])
        for sampling, method in (("pil-bilinear", PIL.Image.BILINEAR), ("pil-bicubic", PIL.Image.BICUBIC)):
            expected = np.asarray(as_rgb.resize(size, method))[..., ::-1]
            assert np.array_equal(resize(patch, size, sampling), expected)  # type: ignore[arg-type]


def _weights(taps: int, cells: int, kernel: str) -> np.ndarray:
    """``[cells, taps]``: the weight of each input pixel in each output pixel, with the half-pixel map written out."""
    scale = taps / cells
    weights = np.zeros((cells, taps))
    for j in range(cells):
        at = (j + 0.5) * scale - 0.5
        if kernel == "resize":  # no smoothing, edges repeated
            left = math.floor(at)
            for tap, weight in ((left, 1 - (at - left)), (left + 1, at - left)):
                weights[j, min(max(tap, 0), taps - 1)] += weight
            continue
        if kernel == "resize-area":
            for tap in range(taps):
                low, high = max(tap, j * scale), min(tap + 1, (j + 1) * scale)
                weights[j, tap] = max(high - low, 0)
        else:
            support = max(scale, 1.0)
            for tap in range(taps):
                d = abs(tap - at) / support
                if kernel == "pil-bilinear":
                    weights[j, tap] = max(1 - d, 0)
                elif d < 1:  # cubic with a = -0.5
                    weights[j, tap] = 1.5 * d**3 - 2.5 * d**2 + 1
                elif d < 2:
                    weights[j, tap] = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
        weights[j] /= weights[j].sum()
    return weights


@pytest.mark.parametrize("sampling", RESIZES)
@pytest.mark.parametrize("size", [(32, 24), (61, 40)])
def test_resizes_are_close_to_a_slow_reference(sampling: str, size: tuple[int, int]) -> None:
    patch = _photograph()
    rows, columns = _weights(60, size[1], sampling), _weights(90, size[0], sampling)
    across = np.einsum("ix,yxc->yic", columns, patch.astype(float)).clip(0, 255)  # a cubic can leave 0..255
    slow = np.einsum("jy,yic->jic", rows, across).clip(0, 255)
    found = resize(patch, size, sampling).astype(float)  # type: ignore[arg-type]
    # Both libraries use integer weights and round after each axis.
    assert np.abs(found - slow).max() <= 2
    assert np.abs(found - slow).mean() < 0.5


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize(("side", "pixels"), [(120, 40), (64, 64), (30, 90)], ids=["smaller", "equal", "larger"])
def test_pixels_are_where_the_map_says(sampling: str, side: int, pixels: int) -> None:
    """A photograph whose values are its coordinates shows at which image px each input px was sampled."""
    x, y = np.meshgrid(np.arange(240), np.arange(200))
    photograph = np.stack([x, y, x], axis=-1).astype(np.uint8)
    centre, size = np.array([100.0, 90.0]), np.array([float(side), float(side)])
    geometry = Geometry([centre], [size], (pixels, pixels), crop="half-pixel")
    found = crop(photograph, centre, size, (pixels, pixels), sampling, convention="half-pixel").astype(float)
    inner = slice(3, -3)  # a resize repeats the edge of the box
    at = np.stack(np.meshgrid(np.arange(pixels), np.arange(pixels)), axis=-1).reshape(1, -1, 2)
    expected = geometry.input_to_image(at).reshape(pixels, pixels, 2)
    for axis in (0, 1):
        difference = (found[..., axis] - expected[..., axis])[inner, inner]
        assert abs(difference.mean()) < 0.15  # values are rounded
        assert np.abs(difference).max() < 0.8


@pytest.mark.parametrize("sampling", RESIZES)
def test_the_stride_map_is_half_a_pixel_away_from_a_resize(sampling: str) -> None:
    """The labels of PFLD; docs/coordinates.md gives the difference (s / W - 1) / 2 in image px."""
    x, y = np.meshgrid(np.arange(240), np.arange(200))
    photograph = np.stack([x, y, x], axis=-1).astype(np.uint8)
    centre, size = np.array([100.0, 90.0]), np.array([120.0, 120.0])
    found = crop(photograph, centre, size, (40, 40), sampling)[3:-3, 3:-3, 0].astype(float)  # type: ignore[arg-type]
    by_stride = Geometry([centre], [size], (40, 40)).input_to_image([[[j, 0] for j in range(3, 37)]])[0, :, 0]
    assert (found - by_stride).mean() == pytest.approx((120 / 40 - 1) / 2, abs=0.1)


def test_whole_pixels() -> None:
    rng = np.random.default_rng(3)
    centre, size = rng.uniform(-50, 500, (200, 2)), rng.uniform(0.2, 300, (200, 2))
    middle, rounded = whole_pixels(centre, size)
    low, high = middle - rounded / 2, middle + rounded / 2
    for face in range(200):
        for axis in (0, 1):
            box = (centre[face, axis] - size[face, axis] / 2, centre[face, axis] + size[face, axis] / 2)
            edges = [round(value) for value in box]  # as PIL.Image.Image.crop
            assert (low[face, axis], high[face, axis]) == (edges[0], max(edges[1], edges[0] + 1))
    again = whole_pixels(middle, rounded)
    assert np.array_equal(again[0], middle)
    assert np.array_equal(again[1], rounded)


def test_the_cut_is_zero_outside_the_photograph() -> None:
    photograph = _photograph() // 2 + 100
    patch = cut(photograph, np.array([0.0, 55.0]), np.array([20.0, 30.0]))
    assert patch.shape == (30, 20, 3)
    assert np.array_equal(patch[:20, 10:], photograph[40:60, :10])
    assert not patch[20:].any()
    assert not patch[:, :10].any()


def test_a_udp_crop_is_no_resize() -> None:
    with pytest.raises(InputError, match="a udp crop is a warp, and 'pil-bilinear' is a resize"):
        crop(_photograph(), (30, 30), (20, 20), (16, 16), "pil-bilinear", convention="udp")


@pytest.mark.parametrize("rotation", [0.0, 30.0])
def test_half_pixel_warp_keeps_the_centre_of_the_box(rotation: float) -> None:
    """The centre of the box's area is that of the input's area, and it turns as mmpose's ``stride`` crop does."""
    matrix = warp_matrix((100, 80), (50, 50), (25, 25), rotation=rotation, convention="half-pixel")
    assert matrix[:, :2] @ [99.5, 79.5] + matrix[:, 2] == pytest.approx([12.0, 12.0])
    usual = warp_matrix((100, 80), (50, 50), (25, 25), rotation=rotation)
    assert matrix[:, :2] == pytest.approx(usual[:, :2], abs=1e-6)
