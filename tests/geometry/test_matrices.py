"""Matrices of random views, crops at the limits of their arguments, and limits of boxes and schemes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.geometry import Geometry, scheme
from nmebench.geometry.crop import crop, normalise
from nmebench.geometry.resize import whole_pixels
from nmebench.geometry.scheme_table import SchemeTable
from nmebench.geometry.warp import checked_box, warp_matrix
from nmebench.protocol import CROP_CONVENTIONS

CENTRE, SIZE, INPUT = [[10.0, 20.0], [310.5, 205.25]], [[60.0, 90.0], [320.0, 480.0]], (192, 256)


def view(crop_convention: Any, size: tuple[int, int] = INPUT, **options: Any) -> tuple[Geometry, np.ndarray]:
    geometry = Geometry(CENTRE, SIZE, size, crop=crop_convention)
    return geometry, geometry.view_matrix(1, **options)


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.array([[row[0] * x + row[1] * y + row[2] for row in matrix] for x, y in points])


POINTS = np.random.default_rng(0).uniform(0, 600, (20, 2))


@pytest.mark.parametrize("convention", CROP_CONVENTIONS)
class TestViewMatrix:
    """Each change of a view is the plain view of changed points."""

    def test_plain_view_is_the_map_of_landmarks(self, convention: Any) -> None:
        geometry, matrix = view(convention)
        np.testing.assert_allclose(apply(matrix, POINTS), geometry.take([1]).image_to_input(POINTS[None])[0])
        first = geometry.view_matrix()
        np.testing.assert_array_equal(first, geometry.view_matrix(0, degrees=0, zoom=1, shift=(0, 0), mirrored=False))
        np.testing.assert_allclose(apply(first, POINTS), geometry.take([0]).image_to_input(POINTS[None])[0])

    def test_zoom_enlarges_the_box_about_its_centre(self, convention: Any) -> None:
        _, matrix = view(convention)
        half = 0.5 if convention == "half-pixel" else 0.0
        pivot = np.array(CENTRE[1]) - half
        _, zoomed = view(convention, zoom=1.5)
        np.testing.assert_allclose(apply(zoomed, pivot + 1.5 * (POINTS - pivot)), apply(matrix, POINTS))

    def test_shift_is_a_fraction_of_the_width_of_the_box(self, convention: Any) -> None:
        _, matrix = view(convention)
        _, shifted = view(convention, shift=(0.25, -0.5))
        np.testing.assert_allclose(apply(shifted, POINTS + np.array([80.0, -160.0])), apply(matrix, POINTS))

    def test_mirror_exchanges_left_and_right(self, convention: Any) -> None:
        _, matrix = view(convention, degrees=30, shift=(0.1, 0.2))
        _, mirrored = view(convention, degrees=30, shift=(0.1, 0.2), mirrored=True)
        expected = apply(matrix, POINTS)
        np.testing.assert_allclose(apply(mirrored, POINTS), [[191 - x, y] for x, y in expected])

    @pytest.mark.parametrize("degrees", [30.0, 90.0, -120.0])
    def test_rotation_is_about_the_centre_from_x_to_y(self, convention: Any, degrees: float) -> None:
        """With one scale for both axes, the input is rotated about the image of the box's centre."""
        geometry = Geometry([[310.5, 205.25]], [[320.0, 320.0]], (256, 256), crop=convention)
        half = 0.5 if convention == "half-pixel" else 0.0
        centre = apply(geometry.view_matrix(), np.array([[310.5 - half, 205.25 - half]]))[0]
        angle = np.deg2rad(degrees)
        x, y = (apply(geometry.view_matrix(), POINTS) - centre).T
        expected = np.stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y], axis=1)
        np.testing.assert_allclose(apply(geometry.view_matrix(degrees=degrees), POINTS), expected + centre, atol=1e-9)

    @pytest.mark.parametrize("rotation", [0.0, 25.0])
    def test_warp_matrix_is_the_view_in_either_precision(self, convention: Any, rotation: float) -> None:
        """mmpose's rotation has the other sign and turns the crop, not the image."""
        centre, size = (310.5, 205.25), (320.0, 320.0)
        found = warp_matrix(centre, size, (256, 256), rotation=rotation, convention=convention)
        wanted = Geometry([centre], [size], (256, 256), crop=convention).view_matrix(degrees=-rotation)
        if convention != "udp":  # its rotation is that of the image
            np.testing.assert_allclose(found, wanted, atol=1e-4)
        elif rotation == 0:
            np.testing.assert_allclose(found, wanted, atol=1e-3)

    def test_heatmap_matrix_is_the_map_of_landmarks(self, convention: Any) -> None:
        geometry = Geometry(CENTRE, SIZE, INPUT, crop=convention, grid="udp", heatmap_size=(48, 64))
        for row in (0, 1):
            expected = geometry.take([row]).image_to_heatmap(POINTS[None])[0]
            np.testing.assert_allclose(apply(geometry.heatmap_matrix(row), POINTS), expected)
        np.testing.assert_array_equal(geometry.heatmap_matrix(), geometry.heatmap_matrix(0))


def test_udp_warp_matrix_turns_the_image() -> None:
    """mmpose's ``get_udp_warp_matrix`` step by step, for a box of the input's aspect ratio."""
    centre, size, angle = (310.5, 205.25), (192.0, 256.0), np.deg2rad(25.0)
    scale = np.array([191 / 192, 255 / 256])
    expected = np.zeros((2, 3))
    expected[0, 0], expected[0, 1] = np.cos(angle) * scale[0], -np.sin(angle) * scale[0]
    expected[1, 0], expected[1, 1] = np.sin(angle) * scale[1], np.cos(angle) * scale[1]
    x, y = centre
    expected[0, 2] = scale[0] * (-x * np.cos(angle) + y * np.sin(angle) + 0.5 * size[0])
    expected[1, 2] = scale[1] * (-x * np.sin(angle) - y * np.cos(angle) + 0.5 * size[1])
    found = warp_matrix(centre, size, INPUT, rotation=25.0, convention="udp")
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert found.dtype == np.float32


def test_geometry_converts_boxes_and_keeps_the_rest() -> None:
    geometry = Geometry([10, 20], np.float32([4, 8]), (8, 16), crop="udp", grid="half-pixel", heatmap_size=(2, 4))
    assert (geometry.centre.tolist(), geometry.size.tolist()) == ([[10.0, 20.0]], [[4.0, 8.0]])  # type: ignore[union-attr]
    assert geometry.centre.dtype == geometry.size.dtype == np.float64  # type: ignore[union-attr]
    other = geometry.with_heatmaps((3, 5))
    assert (other.crop, other.grid, other.heatmap_size, other.input_size) == ("udp", "half-pixel", (3, 5), (8, 16))
    assert geometry.with_heatmaps(None).heatmap_size is None
    centre, size = geometry.box(0)
    assert (centre.tolist(), size.tolist()) == ([10.0, 20.0], [4.0, 8.0])


def test_geometry_of_a_crop_alone() -> None:
    geometry = Geometry.of_input((8, 16), grid="udp", heatmap_size=(4, 4))
    np.testing.assert_allclose(geometry.input_to_image([[[3.0, 5.0]]]), [[[3.0, 5.0]]])
    np.testing.assert_allclose(geometry.to_image([[[3.0, 3.0]]]), [[[7.0, 15.0]]])
    mirrored = geometry.mirror([[[1.0, 5.0], [2.0, 6.0]]], [1, 0])
    assert mirrored.tolist() == [[[5.0, 6.0], [6.0, 5.0]]]


def test_maps_are_computed_in_float64() -> None:
    points = np.random.default_rng(1).uniform(0, 600, (2, 9, 2)).astype(np.float32)
    geometry = Geometry(CENTRE, SIZE, INPUT, heatmap_size=(48, 64))
    for name in ("image_to_input", "input_to_image", "input_to_heatmap", "heatmap_to_input", "to_image"):
        found = getattr(geometry, name)(points)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, getattr(geometry, name)(points.astype(np.float64)))


# Boxes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("centre", "size"),
    [
        pytest.param((0.0, 0.0), (0.5, 0.25), id="below-a-pixel"),
        pytest.param((-1e6, 1e6), (1e6, 1e6), id="far-away"),
    ],
)
def test_small_and_distant_boxes_are_boxes(centre: tuple[float, float], size: tuple[float, float]) -> None:
    middle, extent = checked_box(centre, np.array(size, dtype=np.float32))
    assert (middle.tolist(), extent.tolist()) == (list(centre), list(size))
    assert middle.dtype == extent.dtype == np.float64


@pytest.mark.parametrize(
    ("centre", "size", "message"),
    [
        pytest.param((1.0,), (4.0, 4.0), r"not \(1,\) and \(2,\)", id="one-number"),
        pytest.param((1.0, 2.0), (4.0,), r"not \(2,\) and \(1,\)", id="one-side"),
        pytest.param((1.0, 2.0), (4.0, 4.0, 4.0), r"not \(2,\) and \(3,\)", id="three-sides"),
        pytest.param(1.0, (4.0, 4.0), r"not \(\) and", id="scalar"),
        pytest.param((1.0, np.inf), (4.0, 4.0), "empty or not finite", id="infinite-centre"),
        pytest.param((1.0, 2.0), (4.0, np.inf), "empty or not finite", id="infinite-side"),
        pytest.param((1.0, 2.0), (4.0, 0.0), "empty or not finite", id="no-height"),
        pytest.param((1.0, 2.0), (-4.0, 4.0), "empty or not finite", id="negative-width"),
    ],
)
def test_unusable_boxes_are_refused(centre: Any, size: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked_box(centre, size)


@pytest.mark.parametrize(("height", "allowed"), [(256 * (1 + 9e-7), True), (256 * (1 + 2e-6), False), (192.0, False)])
def test_aspect_ratio_of_a_warp(height: float, allowed: bool) -> None:
    """A box that was grown to the input's aspect ratio differs from it in the last digits."""
    if allowed:
        warp_matrix((10, 20), (192, height), (192, 256))
    else:
        with pytest.raises(InputError, match="another aspect ratio than the 192 x 256 input"):
            warp_matrix((10, 20), (192, height), (192, 256))


@pytest.mark.parametrize(("side", "allowed"), [(32766.0, True), (32767.0, False), (0.6, True), (0.4, False)])
@pytest.mark.parametrize("axis", [0, 1])
def test_sides_of_a_cut(side: float, allowed: bool, axis: int) -> None:
    image = np.full((3, 3, 3), 200, dtype=np.uint8)
    size = [1.0, 1.0]
    size[axis] = side
    if allowed:
        found = crop(image, (1.5, 1.5), size, (4, 4), "resize")
        assert found.max() == (200 if side < 1 else 0), "a side of 32766 px shows the photograph's 3 px nowhere"
    else:
        with pytest.raises(InputError, match="1 to 32766 px are allowed"):
            crop(image, (1.5, 1.5), size, (4, 4), "resize")


def test_boxes_in_whole_pixels_have_a_side_of_one_at_least() -> None:
    centre, size = whole_pixels(np.array([[10.0, 20.4], [5.5, 6.5]]), np.array([[0.2, 3.0], [1.0, 0.4]]))
    assert centre.tolist() == [[10.5, 20.5], [5.5, 6.5]]
    assert size.tolist() == [[1.0, 3.0], [1.0, 1.0]]


# Normalisation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_normalise_is_computed_in_float32(colour: str) -> None:
    """The rounded mean and deviation, a subtraction and a division: bit by bit."""
    crops = np.random.default_rng(4).integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    mean, std = (123.675, 116.28, 103.53), (58.395, 0.1, 57.375)
    found = normalise(crops, mean, std, colour)
    assert (found.shape, found.dtype, found.flags.c_contiguous) == ((2, 3, 5, 7), np.float32, True)
    for channel in range(3):
        plane = crops[..., 2 - channel if colour == "rgb" else channel].astype(np.float32)
        expected = (plane - np.float32(mean[channel])) / np.float32(std[channel])
        np.testing.assert_array_equal(found[:, channel], expected)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        pytest.param((1.0, 2.0), (1.0, 1.0, 1.0), id="two-means"),
        pytest.param((1.0, 2.0, 3.0, 4.0), (1.0, 1.0, 1.0), id="four-means"),
        pytest.param((1.0, 2.0, 3.0), (1.0, 1.0), id="two-deviations"),
        pytest.param((1.0, 2.0, 3.0), (1.0, 1.0, 1.0, 1.0), id="four-deviations"),
        pytest.param((1.0, 2.0, 3.0), (1.0, -1.0, 1.0), id="negative"),
        pytest.param((1.0, 2.0, 3.0), (1.0, 1.0, float("nan")), id="nan"),
    ],
)
def test_normalise_refuses_other_numbers(mean: Any, std: Any) -> None:
    with pytest.raises(InputError, match="must be three numbers each, std above 0"):
        normalise(np.zeros((1, 2, 2, 3), dtype=np.uint8), mean, std, "rgb")


# Schemes -------------------------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "name": "t",
    "points": 3,
    "default_normaliser": "d",
    "flip": {"pairs": [[0, 1]]},
    "groups": {"ends": [0, 1], "middle": {"points": [2]}},
    "normalisers": {
        "d": {"kind": "distance", "first": [0, 1], "second": [2], "source": "s"},
        "box": {"kind": "annotated-box", "source": "t"},
        "height": {"kind": "box-height", "source": "u"},
    },
}


def test_every_field_of_a_scheme() -> None:
    built = scheme.build(GOOD, "t.toml")
    assert (built.name, built.points, built.default_normaliser) == ("t", 3, "d")
    assert built.flip.tolist() == [1, 0, 2]
    with pytest.raises(ValueError, match="read-only"):
        built.flip[0] = 0
    assert dict(built.groups) == {"ends": (0, 1), "middle": (2,)}
    rule = built.normalisers["d"]
    assert (rule.kind, tuple(rule.first), tuple(rule.second), rule.source) == ("distance", (0, 1), (2,), "s")
    assert scheme.build({**GOOD, "flip": {}}, "t.toml").flip.tolist() == [0, 1, 2]


def test_lengths_of_every_kind() -> None:
    built = scheme.build(GOOD, "t.toml")
    points = np.array([[[0.0, 0.0], [4.0, 2.0], [5.0, 13.0]], [[1.0, 1.0]] * 3], dtype=np.float32)
    assert scheme.normaliser(built, points, "d").tolist() == [np.hypot(3, 12), 0.0]
    assert scheme.normaliser(built, points, "height").tolist() == [13.0, 0.0]
    sides = scheme.normaliser(built, points, "box", box_side=np.array([7, 9]))
    assert (sides.tolist(), sides.dtype) == ([7.0, 9.0], np.float64)
    with pytest.raises(InputError, match="needs the box of each face"):
        scheme.normaliser(built, points, "box")
    for shape in ((3, 2), (1, 1, 3, 2), (2, 3, 3), (2, 2, 2)):
        with pytest.raises(InputError, match=r"are not \[N, 3, 2\]"):
            scheme.normaliser(built, np.zeros(shape))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"points": 0}, r"t\.toml: points: ", id="no-points"),
        pytest.param({"points": 10_001}, r"t\.toml: points: ", id="too-many-points"),
        pytest.param({"name": "A b"}, r"t\.toml: name: ", id="name"),
        pytest.param({"extra": 1}, r"t\.toml: extra: unknown field", id="unknown-field"),
        pytest.param({"flip": {"pairs": [[0, 3]]}}, r"t\.toml: scheme: .*landmark 3 is beyond its 3", id="beyond"),
        pytest.param({"flip": {"pairs": [[0, -1]]}}, r"t\.toml: flip\.pairs\.0\.1: ", id="negative"),
        pytest.param({"groups": {"a": [0, 3]}}, "not a partition", id="group-beyond"),
        pytest.param(
            {"normalisers": {"d": {"kind": "distance", "first": [0], "source": "s"}}}, "only for it", id="one-end"
        ),
        pytest.param(
            {"normalisers": {"d": {"kind": "box-size", "second": [0], "source": "s"}}},
            "only for it",
            id="ends-of-a-box",
        ),
    ],
)
def test_wrong_tables_name_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        scheme.build({**GOOD, **change}, "t.toml")
    assert "Value error" not in str(error.value)


def test_largest_scheme() -> None:
    table = {
        "name": "t",
        "points": 10_000,
        "default_normaliser": "d",
        "flip": {},
        "groups": {"all": [0, 9999]},
        "normalisers": {"d": {"kind": "distance", "first": [0], "second": [9999], "source": "s"}},
    }
    assert SchemeTable.model_validate(table).points == 10_000
    with pytest.raises(ValueError, match="landmark 9999 is beyond"):
        SchemeTable.model_validate({**table, "points": 9999})


@pytest.mark.parametrize(("extra", "refused"), [(0, False), (1, True)])
def test_scheme_file_of_a_mebibyte(tmp_path: Path, extra: int, refused: bool) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(b"#" * (2**20 + extra))
    with pytest.raises(InputError) as error:
        scheme.read(path)
    assert ("up to 1,048,576 are read" in str(error.value)) is refused
    assert "t.toml" in str(error.value)
