"""Box rules against slow references that compute one face at a time."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import boxes, datasets
from nmebench.errors import InputError


def slow_landmarks(points: np.ndarray, padding: float) -> tuple[list[float], float]:
    low = [math.floor(min(p[axis] for p in points)) for axis in (0, 1)]
    high = [math.ceil(max(p[axis] for p in points)) for axis in (0, 1)]
    return [(a + b) / 2 for a, b in zip(low, high, strict=True)], max(high[0] - low[0], high[1] - low[1]) * padding


def slow_pfld(points: np.ndarray) -> tuple[list[float], float]:
    """Follow PFLD's code step by step, with Python integers."""
    low = [int(min(p[axis] for p in points)) for axis in (0, 1)]
    wide = [int(max(p[axis] for p in points)) - low[axis] + 1 for axis in (0, 1)]
    middle = [int(low[axis] + wide[axis] / 2) for axis in (0, 1)]
    side = int(max(wide) * 1.2)
    return [middle[axis] - side // 2 + side / 2 for axis in (0, 1)], side


@pytest.fixture
def points() -> np.ndarray:
    """Faces of all sizes, some partly left of or above the photograph."""
    rng = np.random.default_rng(3)
    return rng.uniform(-20, 300, (40, 1, 2)) + rng.normal(size=(40, 98, 2)) * rng.uniform(1, 90, (40, 1, 1))


@pytest.mark.parametrize("padding", [1.25, 1.0, 2.5])
def test_landmarks_rule(faces: Any, points: np.ndarray, padding: float) -> None:
    found = boxes.create("landmarks", padding)(faces(points))
    for face, one in enumerate(points):
        centre, side = slow_landmarks(one, padding)
        assert found.centre[face].tolist() == centre
        assert found.size[face].tolist() == [side, side]
    assert (found.name, found.sampling, found.padding) == ("landmarks", "affine", padding)
    assert found.source == "ground-truth landmarks"


def test_pfld_rule(faces: Any, points: np.ndarray) -> None:
    found = boxes.create("pfld")(faces(points))
    for face, one in enumerate(points):
        centre, side = slow_pfld(one)
        assert found.centre[face].tolist() == centre
        assert found.size[face].tolist() == [side, side]
    assert (found.sampling, found.padding) == ("resize", 1.2)


def test_rect_rule(faces: Any, points: np.ndarray) -> None:
    rect = np.tile([10.0, 20.0, 50.0, 100.0], (len(points), 1))
    found = boxes.create("rect")(faces(points, rect=rect))
    assert found.centre[0].tolist() == [30, 60]
    assert found.size[0].tolist() == [100, 100]


def test_annotation_rule(faces: Any, points: np.ndarray) -> None:
    table = np.tile([10.0, 20.0, 0.42], (len(points), 1))
    found = boxes.create("annotation")(faces(points, centre_scale=table))
    assert found.centre[0].tolist() == [10, 20]
    np.testing.assert_allclose(found.size[0], [105, 105], rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("rect", r"WFLW's list_98pt_rect_attr_\*\.txt \(official-attr\), COFW's or LaPa's own", id="rect"),
        pytest.param("annotation", "that hrnet-csv and mmpose-json carry", id="annotation"),
    ],
)
def test_rule_without_its_data_names_the_format_that_has_it(
    faces: Any, points: np.ndarray, name: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        boxes.create(name)(faces(points))


def test_a_json_without_centre_and_scale_is_not_named_as_the_way_out(faces: Any, points: np.ndarray) -> None:
    without = replace(faces(points), format="mmpose-json")  # as COFW's and LaPa's
    with pytest.raises(InputError, match="; this mmpose-json has none: use --box landmarks"):
        boxes.create("annotation")(without)


@pytest.mark.parametrize(
    ("name", "carried"),
    [
        pytest.param("landmarks", {}, id="all landmarks coincide"),
        pytest.param("rect", {"rect": np.array([[0, 0, 9, 9], [5, 0, 5, 9.0]])}, id="a rectangle without width"),
        pytest.param("rect", {"rect": np.array([[0, 0, 9, 9], [9, 0, 5, 9.0]])}, id="a rectangle's sides swapped"),
        pytest.param("annotation", {"centre_scale": np.array([[0, 0, 1], [0, 0, 0.0]])}, id="a scale of 0"),
    ],
)
def test_empty_box_is_refused_with_its_line(faces: Any, name: str, carried: dict[str, np.ndarray]) -> None:
    landmarks = np.zeros((2, 98, 2))
    landmarks[0, 5] = 30
    with pytest.raises(InputError, match=rf":2: the box '{name}' of this face is empty"):
        boxes.create(name)(faces(landmarks, **carried))


class _Shrunk:
    """A rule whose second box is wrong, though the annotation isn't."""

    name, source, padding = "shrunk", "landmarks", 1.0

    def __init__(self, size: float) -> None:
        self.size = size

    def __call__(self, dataset: Any) -> boxes.Boxes:
        centre, size = np.full((2, 2), 30.0), np.array([[9.0, 9.0], [self.size, 9.0]])
        return boxes.Boxes(self.name, self.source, self.padding, centre, size, "affine")


@pytest.mark.parametrize(
    ("size", "state"),
    [(0.0, r"empty \(0 x 9 px\)"), (-3.0, r"empty \(-3 x 9 px\)"), (np.nan, r"not finite \(nan x 9 px\)")],
)
def test_a_box_that_the_rule_makes_empty_is_the_rules_fault(faces: Any, size: float, state: str) -> None:
    landmarks = np.zeros((2, 98, 2))
    landmarks[:, 5] = 30
    expected = rf":2: the box 'shrunk' of this face is {state}: its annotation is not, so correct the rule or use"
    with pytest.raises(InputError, match=expected):
        boxes.boxes_of(_Shrunk(size), faces(landmarks))
    landmarks[1] = 30
    with pytest.raises(InputError, match=rf"is {state}: correct the line or use another box"):
        boxes.boxes_of(_Shrunk(size), faces(landmarks))


def test_names_and_descriptions() -> None:
    assert boxes.names() == ("landmarks", "rect", "annotation", "pfld", "h3r-landmarks", "h3r-rect")
    for name in boxes.names():
        summary, source = boxes.describe(name)
        assert summary
        assert source
    with pytest.raises(InputError, match=r"unknown box 'landmark'.*did you mean 'landmarks'\?"):
        boxes.create("landmark")
    with pytest.raises(InputError, match="padding of nan"):
        boxes.create("rect", math.nan)


def test_boxes_grow_to_the_aspect_ratio_of_the_input(faces: Any, points: np.ndarray) -> None:
    found = boxes.create("landmarks")(faces(points))
    assert (found.for_input((256, 256)).size == found.size).all()
    tall = found.for_input((192, 256)).size
    np.testing.assert_array_equal(tall[:, 0], found.size[:, 0])
    np.testing.assert_allclose(tall[:, 1] / tall[:, 0], 256 / 192)
    wide = found.for_input((256, 192)).size
    np.testing.assert_allclose(wide[:, 0] / wide[:, 1], 256 / 192)


def test_boxes_of_four_real_faces_equal_mmpose(faces: Any, shared: Path) -> None:
    table = json.loads((shared / "oracle" / "preproc" / "faces4.json").read_text())["faces"]
    with np.load(shared / "oracle" / "preproc" / "faces4.npz") as arrays:
        found = boxes.create("landmarks")(faces(arrays["keypoints"].astype(np.float64)))
    assert found.centre.tolist() == [face["input_center"] for face in table]
    assert found.size.tolist() == [face["input_scale"] for face in table]


def test_csv_scale_is_the_landmarks_scale_rounded_to_two_decimals(shared: Path) -> None:
    """The boxes `annotation` and `landmarks` differ by up to one pixel before padding, on half of the faces."""
    dataset = datasets.load(f"wflw:{shared / 'wflw-sample'}", format="hrnet-csv")
    made, read = boxes.create("landmarks")(dataset), boxes.create("annotation")(dataset)
    np.testing.assert_array_equal(made.centre, read.centre)
    gap = np.abs(made.size - read.size)[:, 0]
    assert gap.max() == pytest.approx(1.25)
    assert int((gap > 1e-6).sum()) == 72
