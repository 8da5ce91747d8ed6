"""Maps between coordinate systems: inverses, and comparison with mmpose and HRNet point by point."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmebench.errors import InputError
from nmebench.geometry import Geometry, mirror
from nmebench.geometry.scheme import load
from nmebench.geometry.warp import warp_matrix
from nmebench.protocol import CROP_CONVENTIONS, GRIDS, Chain, CropConvention, Grid

SETS = ("clean_s2", "border_s2", "guard_positions", "two_peak", "plateau_ties", "flat_degenerate")
CENTRE, SIZE = (150.3, 120.7), 220.0


HRNET = Chain("official-hrnet", None)


def box_of_the_reference(count: int) -> Geometry:
    """The boxes of the stored reference outputs."""
    return Geometry(np.tile(CENTRE, (count, 1)), np.full((count, 2), SIZE), (256, 256), heatmap_size=(64, 64))


def slow_hrnet(point: np.ndarray, centre: np.ndarray, scale: float, resolution: int) -> list[float]:
    """HRNet's ``transform_pixel(..., invert=1)`` of a 1-based refined point + 0.5, by the inverse of its matrix."""
    side = 200 * scale
    matrix = np.eye(3)
    matrix[0, 0] = matrix[1, 1] = resolution / side
    matrix[0, 2] = resolution * (-centre[0] / side + 0.5)
    matrix[1, 2] = resolution * (-centre[1] / side + 0.5)
    one_based = point + 1 + 0.5
    back = np.linalg.inv(matrix) @ np.array([one_based[0] - 1, one_based[1] - 1, 1.0])
    return [int(back[0]) + 1, int(back[1]) + 1]


#: Width and height of an input and of heatmaps, square and not.
INPUTS = [(256, 256), (192, 256), (320, 128)]
HEATMAPS = [(64, 64), (48, 64), (7, 9)]


@pytest.mark.parametrize("crop", CROP_CONVENTIONS)
@pytest.mark.parametrize("grid", GRIDS)
@given(
    x=st.floats(-4, 70),
    y=st.floats(-4, 70),
    width=st.floats(1, 3000),
    height=st.floats(1, 3000),
    input_size=st.sampled_from(INPUTS),
    maps=st.sampled_from(HEATMAPS),
)
def test_maps_are_inverses(
    crop: CropConvention,
    grid: Grid,
    x: float,
    y: float,
    width: float,
    height: float,
    input_size: tuple[int, int],
    maps: tuple[int, int],
) -> None:
    geometry = Geometry([[31.5, 7.25]], [[width, height]], input_size, crop=crop, grid=grid, heatmap_size=maps)
    points = np.array([[[x, y]]])
    np.testing.assert_allclose(geometry.input_to_heatmap(geometry.heatmap_to_input(points)), points, atol=1e-9)
    np.testing.assert_allclose(geometry.image_to_input(geometry.input_to_image(points)), points, atol=1e-6)
    np.testing.assert_allclose(geometry.image_to_heatmap(geometry.to_image(points)), points, atol=1e-6)
    matrix = geometry.heatmap_matrix()
    np.testing.assert_allclose(
        points[0] @ matrix[:, :2].T + matrix[:, 2], geometry.image_to_heatmap(points)[0], atol=1e-6
    )


def slow_map(value: float, side: float, pixels: int, cells: int, crop: str, grid: str) -> float:
    """One coordinate from heatmap px to px from the box's edge, written out for each convention."""
    if grid == "udp":
        at_input = value * (pixels - 1) / (cells - 1)
    elif grid == "half-pixel":
        at_input = (value + 0.5) * pixels / cells - 0.5
    else:
        at_input = value * pixels / cells
    if crop == "half-pixel":
        return (at_input + 0.5) * side / pixels - 0.5
    return at_input * side / (pixels - 1 if crop == "udp" else pixels)


@pytest.mark.parametrize("crop", CROP_CONVENTIONS)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("input_size", "maps"), [((192, 256), (48, 64)), ((320, 128), (40, 64)), ((64, 64), (9, 7))])
def test_to_image_equals_the_formulas(
    crop: CropConvention, grid: Grid, input_size: tuple[int, int], maps: tuple[int, int]
) -> None:
    geometry = Geometry([[150.3, 120.7]], [[90.0, 200.0]], input_size, crop=crop, grid=grid, heatmap_size=maps)
    found = geometry.to_image([[[3.25, 5.5]]])[0, 0]
    for axis, (value, centre, side) in enumerate([(3.25, 150.3, 90.0), (5.5, 120.7, 200.0)]):
        slow = slow_map(value, side, input_size[axis], maps[axis], crop, grid) + centre - side / 2
        assert found[axis] == pytest.approx(slow, abs=1e-9)


@given(x=st.floats(-50, 400), y=st.floats(-50, 400), width=st.floats(20, 900))
@pytest.mark.parametrize("crop", CROP_CONVENTIONS)
@pytest.mark.parametrize("input_size", INPUTS)
def test_landmarks_are_mapped_as_the_pixels_of_the_crop(
    crop: CropConvention, input_size: tuple[int, int], x: float, y: float, width: float
) -> None:
    """The crop's warp and the landmarks' map agree to a thousandth of an input px (the warp is float32)."""
    size = [width, width * input_size[1] / input_size[0]]
    geometry = Geometry([[150.3, 120.7]], [size], input_size, crop=crop)
    matrix = np.asarray(warp_matrix((150.3, 120.7), size, input_size, convention=crop), dtype=np.float64)
    warped = matrix[:, :2] @ [x, y] + matrix[:, 2]
    scale = input_size[0] / width
    np.testing.assert_allclose(geometry.image_to_input([[[x, y]]])[0, 0], warped, atol=1e-3 * max(1.0, scale))
    view = geometry.view_matrix()
    np.testing.assert_allclose(view[:, :2] @ [x, y] + view[:, 2], geometry.image_to_input([[[x, y]]])[0, 0], atol=1e-6)


def test_take_selects_faces_and_maps_without_heatmaps_are_the_inputs() -> None:
    centre, size = [[100.0, 50.0], [10.0, 20.0], [0.0, 0.0]], [[64.0, 64.0], [32.0, 32.0], [8.0, 8.0]]
    geometry = Geometry(centre, size, (64, 64))
    points = np.random.default_rng(0).uniform(0, 64, (3, 5, 2))
    np.testing.assert_array_equal(geometry.to_image(points)[[2, 0]], geometry.take([2, 0]).to_image(points[[2, 0]]))
    np.testing.assert_array_equal(geometry.heatmap_to_input(points), points)
    np.testing.assert_array_equal(geometry.input_to_heatmap(points), points)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [
        pytest.param("mm1_default", 1e-5, id="mmpose 1.x"),
        pytest.param("mm1_dark", 1e-5, id="mmpose 1.x dark"),
        pytest.param("mm0_unbiased", 2e-5, id="mmpose 0.x"),  # float32 image coordinates
    ],
)
def test_stride_equals_mmpose(shared: Path, name: str, kind: str, tolerance: float) -> None:
    with np.load(shared / "oracle" / "decoders" / f"{name}.npz") as table:
        found = box_of_the_reference(len(table["hm"])).to_image(table[f"{kind}_hm"])
        np.testing.assert_allclose(found, table[f"{kind}_img"], atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", SETS)
def test_hrnet_equals_the_official_code(shared: Path, name: str) -> None:
    """Both give whole pixels, which are equal."""
    with np.load(shared / "oracle" / "decoders" / f"{name}.npz") as table:
        refined = table["off_refined_plus0p5_1based"].astype(np.float64) - 1.5
        found = box_of_the_reference(len(table["hm"])).to_image(refined, HRNET)
        np.testing.assert_array_equal(found, table["off_decode_img"])


def test_hrnet_equals_its_matrix_point_by_point() -> None:
    """Truncation is towards zero, left of the photograph as well."""
    rng = np.random.default_rng(5)
    points = rng.uniform(-1, 64, (9, 30, 2))
    centre, scale = rng.uniform(0, 200, (9, 2)), rng.uniform(0.2, 4, 9)
    size = np.repeat(scale[:, None] * 200, 2, axis=1)
    found = Geometry(centre, size, (256, 256), heatmap_size=(64, 64)).to_image(points, HRNET)
    slow = [[slow_hrnet(p, centre[n], scale[n], 64) for p in points[n]] for n in range(9)]
    np.testing.assert_array_equal(found, slow)
    assert (found < 0).any()


@pytest.mark.parametrize("name", SETS)
def test_udp_equals_mmpose(shared: Path, name: str) -> None:
    """mmpose's UDP codec divides by w - 1 and scales its input px by W; the preset's chain repeats both."""
    with np.load(shared / "oracle" / "decoders" / f"{name}.npz") as table:
        boxes = box_of_the_reference(len(table["hm"]))
        chain = Chain("mmpose-udp", "udp")
        mmpose = table["mm1_udp_in"] / 256 * SIZE + np.array(CENTRE) - SIZE / 2
        np.testing.assert_allclose(boxes.to_image(table["mm1_udp_hm"], chain), mmpose, atol=2e-5, rtol=0)
        own = replace(boxes, crop="udp", grid="udp")
        np.testing.assert_allclose(own.to_image(table["mm1_udp_hm"]), mmpose, atol=2e-5, rtol=0)


def test_udp_maps_corner_pixels_to_the_corners_of_the_box() -> None:
    corners = np.array([[[0, 0], [63, 63]]])
    found = replace(box_of_the_reference(1), crop="udp", grid="udp").to_image(corners)
    np.testing.assert_allclose(found[0], [np.array(CENTRE) - 110, np.array(CENTRE) + 110])


@pytest.mark.parametrize("maps", [16, 64])
def test_half_pixel_grids_cover_the_same_square(maps: int) -> None:
    """As for a resize with half-pixel centres, the outer edges agree, and so do the middles of the sides."""
    stride = 256 / maps
    geometry = replace(box_of_the_reference(1), grid="half-pixel", heatmap_size=(maps, maps))
    for heatmap, expected in ((-0.5, -0.5), (maps - 0.5, 255.5), ((maps - 1) / 2, 127.5), (0.0, (stride - 1) / 2)):
        assert geometry.heatmap_to_input([heatmap, heatmap]).tolist() == [expected, expected]
    image = geometry.to_image([[[3.0, 5.0]]])
    slow = [((v + 0.5) * stride - 0.5) * SIZE / 256 + c - SIZE / 2 for v, c in zip((3.0, 5.0), CENTRE, strict=True)]
    np.testing.assert_allclose(image[0, 0], slow)


def test_landmarks_of_four_real_faces_in_input_px_equal_mmpose(shared: Path) -> None:
    table = json.loads((shared / "oracle" / "preproc" / "faces4.json").read_text())["faces"]
    with np.load(shared / "oracle" / "preproc" / "faces4.npz") as arrays:
        geometry = Geometry(
            [face["input_center"] for face in table], [face["input_scale"] for face in table], (256, 256)
        )
        found = geometry.image_to_input(arrays["keypoints"])
        np.testing.assert_allclose(found, arrays["transformed_keypoints"], atol=2e-4, rtol=0)  # float32 there


def test_flipping_twice_restores_the_landmarks() -> None:
    flip = load("wflw98").flip
    points = np.random.default_rng(0).uniform(0, 255, (3, 98, 2))
    before = points.copy()
    once = mirror(points, flip, 256)
    np.testing.assert_allclose(mirror(once, flip, 256), points)
    np.testing.assert_array_equal(points, before)
    assert once[0, 0].tolist() == [255 - points[0, 32, 0], points[0, 32, 1]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"grid": "strides"}, r"unknown grid 'strides'.*'stride'", id="grid"),
        pytest.param({"grid": "hrnet"}, r"unknown grid 'hrnet'", id="chain as a grid"),
        pytest.param({"crop": "hrnet"}, r"unknown crop convention 'hrnet'", id="crop"),
    ],
)
def test_unknown_names_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Geometry([[1, 1]], [[4, 4]], (8, 8), heatmap_size=(4, 4), **given)


def test_unknown_chains_are_refused() -> None:
    chain: Any = Chain("hrnet", None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown map of a chain 'hrnet'"):
        box_of_the_reference(1).to_image([[[1.0, 1.0]]], chain)
