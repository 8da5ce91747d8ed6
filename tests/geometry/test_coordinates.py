"""Maps between coordinate systems: inverses, and comparison with mmpose and HRNet point by point."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmebench.errors import InputError
from nmebench.geometry import coordinates
from nmebench.geometry.scheme import load

SETS = ("clean_s2", "border_s2", "guard_positions", "two_peak", "plateau_ties", "flat_degenerate")
CENTRE, SIZE = (150.3, 120.7), 220.0


def box_of_the_reference(count: int) -> dict[str, Any]:
    """The box of the stored reference outputs."""
    return {
        "heatmap_size": (64, 64),
        "input_size": (256, 256),
        "centre": np.tile(CENTRE, (count, 1)),
        "size": np.full((count, 2), SIZE),
    }


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


@pytest.mark.parametrize("convention", coordinates.CONVENTIONS)
@given(
    x=st.floats(-4, 70),
    y=st.floats(-4, 70),
    side=st.floats(1, 3000),
    maps=st.sampled_from([(64, 64), (48, 64), (7, 9)]),
)
def test_maps_are_inverses(convention: str, x: float, y: float, side: float, maps: tuple[int, int]) -> None:
    points = np.array([[[x, y]]])
    sizes: dict[str, Any] = {"heatmap_size": maps, "input_size": (192, 256), "convention": convention}
    through = coordinates.heatmap_to_input(points, **sizes)
    np.testing.assert_allclose(coordinates.input_to_heatmap(through, **sizes), points, atol=1e-9)
    box: dict[str, Any] = {
        "input_size": (192, 256),
        "centre": [[31.5, 7.25]],
        "size": [[side * 0.75, side]],
        "convention": convention,
    }
    image = coordinates.input_to_image(points, **box)
    np.testing.assert_allclose(coordinates.image_to_input(image, **box), points, atol=1e-6)


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
        found = coordinates.to_image(table[f"{kind}_hm"], convention="stride", **box_of_the_reference(len(table["hm"])))
        np.testing.assert_allclose(found, table[f"{kind}_img"], atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", SETS)
def test_hrnet_equals_the_official_code(shared: Path, name: str) -> None:
    """Both give whole pixels, which are equal."""
    with np.load(shared / "oracle" / "decoders" / f"{name}.npz") as table:
        refined = table["off_refined_plus0p5_1based"].astype(np.float64) - 1.5
        found = coordinates.to_image(refined, convention="hrnet", **box_of_the_reference(len(table["hm"])))
        np.testing.assert_array_equal(found, table["off_decode_img"])


def test_hrnet_equals_its_matrix_point_by_point() -> None:
    """Truncation is towards zero, left of the photograph as well."""
    rng = np.random.default_rng(5)
    points = rng.uniform(-1, 64, (9, 30, 2))
    centre, scale = rng.uniform(0, 200, (9, 2)), rng.uniform(0.2, 4, 9)
    found = coordinates.to_image(
        points,
        convention="hrnet",
        heatmap_size=(64, 64),
        input_size=(256, 256),
        centre=centre,
        size=np.repeat(scale[:, None] * 200, 2, axis=1),
    )
    slow = [[slow_hrnet(p, centre[n], scale[n], 64) for p in points[n]] for n in range(9)]
    np.testing.assert_array_equal(found, slow)
    assert (found < 0).any()


@pytest.mark.parametrize("name", SETS)
def test_udp_equals_mmpose(shared: Path, name: str) -> None:
    """mmpose's UDP codec divides by W - 1 and scales its ``input`` coordinates by W, so only image px are equal."""
    with np.load(shared / "oracle" / "decoders" / f"{name}.npz") as table:
        found = coordinates.to_image(table["mm1_udp_hm"], convention="udp", **box_of_the_reference(len(table["hm"])))
        mmpose = table["mm1_udp_in"] / 256 * SIZE + np.array(CENTRE) - SIZE / 2
        np.testing.assert_allclose(found, mmpose, atol=2e-5, rtol=0)


def test_udp_maps_corner_pixels_to_the_corners_of_the_box() -> None:
    corners = np.array([[[0, 0], [63, 63]]])
    found = coordinates.to_image(corners, convention="udp", **box_of_the_reference(1))
    np.testing.assert_allclose(found[0], [np.array(CENTRE) - 110, np.array(CENTRE) + 110])


@pytest.mark.parametrize("maps", [16, 64])
def test_half_pixel_grids_cover_the_same_square(maps: int) -> None:
    """As for a resize with half-pixel centres, the outer edges agree, and so do the middles of the sides."""
    stride = 256 / maps
    sizes: dict[str, Any] = {"convention": "half-pixel", "heatmap_size": (maps, maps), "input_size": (256, 256)}
    for heatmap, expected in ((-0.5, -0.5), (maps - 0.5, 255.5), ((maps - 1) / 2, 127.5), (0.0, (stride - 1) / 2)):
        assert coordinates.heatmap_to_input([heatmap, heatmap], **sizes).tolist() == [expected, expected]
    image = coordinates.to_image([[[3.0, 5.0]]], **box_of_the_reference(1) | sizes)
    slow = [((v + 0.5) * stride - 0.5) * SIZE / 256 + c - SIZE / 2 for v, c in zip((3.0, 5.0), CENTRE, strict=True)]
    np.testing.assert_allclose(image[0, 0], slow)


def test_landmarks_of_four_real_faces_in_input_px_equal_mmpose(shared: Path) -> None:
    table = json.loads((shared / "oracle" / "preproc" / "faces4.json").read_text())["faces"]
    with np.load(shared / "oracle" / "preproc" / "faces4.npz") as arrays:
        found = coordinates.image_to_input(
            arrays["keypoints"],
            input_size=(256, 256),
            centre=[face["input_center"] for face in table],
            size=[face["input_scale"] for face in table],
        )
        np.testing.assert_allclose(found, arrays["transformed_keypoints"], atol=2e-4, rtol=0)  # float32 there


def test_flipping_twice_restores_the_landmarks() -> None:
    flip = load("wflw98").flip
    points = np.random.default_rng(0).uniform(0, 255, (3, 98, 2))
    before = points.copy()
    once = coordinates.flip_landmarks(points, flip, 256)
    np.testing.assert_allclose(coordinates.flip_landmarks(once, flip, 256), points)
    np.testing.assert_array_equal(points, before)
    assert once[0, 0].tolist() == [255 - points[0, 32, 0], points[0, 32, 1]]


def test_unknown_convention_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown convention 'strides'.*'stride'"):
        coordinates.heatmap_to_input([0, 0], convention="strides", heatmap_size=(4, 4), input_size=(8, 8))
