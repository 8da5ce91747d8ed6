"""SPIGA's json: landmarks by id, occlusion, subsets by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_files import SPIGA_IDS, random_points, spiga_faces, write_spiga

from nmebench import datasets
from nmebench.datasets.formats import detect_format
from nmebench.datasets.readers.spiga_json import IDS
from nmebench.errors import InputError
from nmebench.geometry import point_mapping, scheme

POINTS = random_points(4, 68)
NAMES = [f"images/test/{name}.jpg" for name in ("a", "b", "c", "d")]


@pytest.fixture
def faces() -> list[dict[str, Any]]:
    return spiga_faces(POINTS, NAMES)


def test_the_ids_are_those_of_spigas_files(shared: Path) -> None:
    assert IDS[68] == SPIGA_IDS
    stored = json.loads((shared / "benchmarks" / "spiga_300wprivate.json").read_text())
    assert list(IDS[68]) == stored["ids"]


def test_the_ids_of_the_eyes_are_those_of_the_scheme() -> None:
    rule = scheme.load("ibug68").normalisers["inter-pupil"]
    assert [IDS[68][point] for point in rule.first] == [7, 138, 139, 8, 141, 142]
    assert [IDS[68][point] for point in rule.second] == [11, 144, 145, 12, 147, 148]


def test_ids_that_both_sets_have_are_the_same_points_of_the_face() -> None:
    """PIPNet's mapping from 98 to 68 landmarks takes them from one another, and the contour keeps every second one."""
    mapping = point_mapping.load("wflw98-to-ibug68")
    shared = sorted(set(IDS[68]) & set(IDS[98]) & set(range(30)))
    assert len(shared) == 18
    face = np.random.default_rng(0).uniform(0, 100, (1, 98, 2))
    for number in shared:
        moved = face.copy()
        moved[0, IDS[98].index(number)] += (50, 0)
        change = np.abs(mapping.landmarks(moved) - mapping.landmarks(face))[0].max(1)
        assert int(change.argmax()) == IDS[68].index(number)


def test_wflw_is_read_with_its_98_ids_and_subsets(tmp_path: Path) -> None:
    points = random_points(2, 98)
    faces = [
        {"imgpath": f"images/{n}.jpg", "bbox": [1, 2, 3, 4], "ids": list(IDS[98])[::-1],
         "landmarks": face[::-1].tolist(), "visible": [1.0] * 98}
        for n, face in enumerate(points)
    ]  # fmt: skip
    write_spiga(tmp_path / "test.json", faces)
    (tmp_path / "db_info.json").write_text(json.dumps({"test_subsets": {"pose": [1], "blur": [0, 1]}}))
    dataset = datasets.load(f"wflw:{tmp_path}")
    np.testing.assert_array_equal(dataset.landmarks, points)
    assert dataset.subsets["pose"].tolist() == [False, True]
    assert list(dataset.subsets) == ["test", "pose", "blur"]
    assert "db_info.json beside the json doesn't list it: there is no subset makeup" in dataset.notes
    assert dataset.origin is None


def test_landmarks_are_found_by_their_id(tmp_path: Path, faces: list[dict[str, Any]]) -> None:
    for number, face in enumerate(faces):
        order = np.random.default_rng(number).permutation(68)
        for field in ("ids", "landmarks", "visible"):
            face[field] = [face[field][place] for place in order]
    write_spiga(tmp_path / "test.json", faces)
    dataset = datasets.load(f"300w:{tmp_path}")
    np.testing.assert_array_equal(dataset.landmarks, POINTS)
    assert (dataset.format, dataset.images) == ("spiga-json", tuple(NAMES))
    assert dataset.rect is not None
    np.testing.assert_allclose(dataset.rect, np.concatenate([POINTS.min(1), POINTS.max(1)], 1), rtol=0, atol=1e-12)


def test_visible_says_what_is_occluded_where_the_benchmark_has_occlusion(tmp_path: Path) -> None:
    visible = np.random.default_rng(1).random((4, 68)) < 0.7
    faces = spiga_faces(POINTS, [f"images/{1345 + n:05d}.jpg" for n in range(4)], visible)
    order = np.random.default_rng(2).permutation(68)
    for field in ("ids", "landmarks", "visible"):
        faces[2][field] = [faces[2][field][place] for place in order]
    write_spiga(tmp_path / "test.json", faces)
    dataset = datasets.load(f"cofw68:{tmp_path}")
    np.testing.assert_array_equal(dataset.occluded, ~visible)
    assert datasets.load(f"300w:{tmp_path}").occluded is None


def test_the_origin_belongs_to_the_benchmark_and_the_format(tmp_path: Path, faces: list[dict[str, Any]]) -> None:
    write_spiga(tmp_path / "test.json", faces)
    origins = {name: datasets.load(f"{name}:{tmp_path}").origin for name in ("300w", "300w-private", "cofw68")}
    assert origins == {"300w": 0, "300w-private": 0, "cofw68": 1}
    notes = datasets.load(f"cofw68:{tmp_path}").notes
    assert "test.json: the landmarks count the first pixel as (1, 1), as the file does" in notes


def test_db_info_lists_the_rows_of_each_subset(tmp_path: Path, faces: list[dict[str, Any]]) -> None:
    write_spiga(tmp_path / "test.json", faces)
    rows = {"helen": [0], "lfpw": [2], "common": [0, 2], "ibug": [1, 3]}
    (tmp_path / "db_info.json").write_text(json.dumps({"test_subsets": rows, "norm": {"corners": 8}}))
    dataset = datasets.load(f"300w:{tmp_path}")
    assert {name: mask.tolist() for name, mask in dataset.subsets.items()} == {
        "test": [True] * 4,
        "common": [True, False, True, False],
        "challenge": [False, True, False, True],
    }
    assert [file.name for file in dataset.files] == ["test.json", "db_info.json"]
    assert not any("no subset" in note for note in dataset.notes)


def test_without_db_info_the_missing_subsets_are_named(tmp_path: Path, faces: list[dict[str, Any]]) -> None:
    write_spiga(tmp_path / "test.json", faces)
    assert sum("there is no subset" in note for note in datasets.load(f"300w:{tmp_path}").notes) == 2


def test_the_private_sets_subsets_are_its_folders(tmp_path: Path) -> None:
    names = ["images/private/indoor/indoor_001.png", "images/private/outdoor/outdoor_001.png"]
    write_spiga(tmp_path / "test.json", spiga_faces(POINTS[:2], names))
    dataset = datasets.load(f"300w-private:{tmp_path}")
    assert dataset.subsets["indoor"].tolist() == [True, False]
    assert dataset.subsets["outdoor"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"ibug": [0, 4]}, "the subset 'ibug' has the row 4, but the json has 4 faces"),
        ({"ibug": [0, -1]}, "has the row -1"),
        ({"ibug": [1, 1]}, "has a row twice"),
        ({"ibug": [True]}, "is not a list of row numbers"),
        ({"ibug": "0 1"}, "is not a list of row numbers"),
        ([1], "needs the table 'test_subsets'"),
    ],
)
def test_damaged_subsets_are_refused(rows: Any, message: str, tmp_path: Path, faces: list[dict[str, Any]]) -> None:
    write_spiga(tmp_path / "test.json", faces)
    (tmp_path / "db_info.json").write_text(json.dumps({"test_subsets": rows}))
    with pytest.raises(InputError, match=r"db_info\.json") as caught:
        datasets.load(f"300w:{tmp_path}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def _drop(face: dict[str, Any]) -> None:
    for field in ("ids", "landmarks", "visible"):
        del face[field][40]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop, "1 of 68 landmarks have no position, the first is id 141 (landmark 40)"),
        (lambda face: face["ids"].__setitem__(3, 101), "the id 101 is there twice"),
        (lambda face: face["ids"].__setitem__(3, 100), "the id 100 is none of SPIGA's 68 landmarks"),
        (lambda face: face["ids"].__setitem__(3, "104"), "the id '104' is none of SPIGA's 68 landmarks"),
        (lambda face: face["ids"].pop(), "67 ids, 68 landmarks and 68 values 'visible'"),
        (lambda face: face["landmarks"].__setitem__(3, [1, 2, 3]), "landmark 3 is not a list of x and y"),
        (lambda face: face["landmarks"].__setitem__(3, [1, "2,5"]), "landmark 3 y is '2,5': write a decimal point"),
        (lambda face: face["landmarks"].__setitem__(3, [1, float("nan")]), "landmark 3 y is nan, not a finite number"),
        (lambda face: face["visible"].__setitem__(3, 2), "value 3 of 'visible' is 2, not 0 or 1"),
        (lambda face: face.pop("visible"), "no list 'visible'"),
        (lambda face: face.update(bbox=[1, 2, 3]), "'bbox' is not a list of four numbers"),
        (lambda face: face.update(imgpath="../a.jpg"), "leads out of the image folder"),
        (lambda face: face.pop("imgpath"), "the image's name is missing"),
    ],
)
def test_a_damaged_face_is_named(change: Any, message: str, tmp_path: Path, faces: list[dict[str, Any]]) -> None:
    change(faces[1])
    write_spiga(tmp_path / "test.json", faces)
    with pytest.raises(InputError) as caught:
        datasets.load(f"300w:{tmp_path}")
    assert "test.json: face 2: " in str(caught.value)
    assert message in str(caught.value)


def test_a_face_that_is_no_object_is_named(tmp_path: Path, faces: list[dict[str, Any]]) -> None:
    write_spiga(tmp_path / "test.json", [faces[0], 7])  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"face 2 is not an object"):
        datasets.load(f"300w:{tmp_path}")


def test_the_format_is_detected(faces: list[dict[str, Any]]) -> None:
    assert detect_format(json.dumps(faces), "file") == "spiga-json"
    assert detect_format(json.dumps(faces, indent=2), "file") == "spiga-json"
    assert detect_format('[{"a": 1}]', "file") == "spiga-json"
    assert detect_format("[1, 2]", "file") == "mmpose-json"


def test_the_real_ground_truth_of_300w_private_is_read(shared: Path, tmp_path: Path) -> None:
    stored = np.load(shared / "benchmarks" / "spiga_300wprivate.npz")
    truth, images = stored["gt"], [str(image) for image in stored["image"]]
    write_spiga(tmp_path / "test.json", spiga_faces(truth, images))
    dataset = datasets.load(f"300w-private:{tmp_path}")
    np.testing.assert_array_equal(dataset.landmarks, truth)
    assert dataset.complete
    np.testing.assert_array_equal(dataset.subsets["indoor"], stored["subset_indoor"])
    error = np.linalg.norm(stored["pred"] - dataset.landmarks, axis=2).mean(1)
    assert abs(100 * (error / dataset.normaliser("box-size")).mean() - 2.0306) < 5e-5


def test_raw_annotations_are_one_pixel_from_spigas(shared: Path) -> None:
    sample = datasets.load(f"300w-private:{shared / 'benchmarks/mmpose_samples/300w/test_300w.json'}")
    stored = np.load(shared / "benchmarks" / "spiga_300wprivate.npz")
    by_name = {str(image).rpartition("/")[2]: face for image, face in zip(stored["image"], stored["gt"], strict=True)}
    for image, face in zip(sample.images, sample.landmarks, strict=True):
        np.testing.assert_allclose(face - by_name[image], 1.0, rtol=0, atol=1e-6)
    assert sample.origin == 1
