"""Benchmarks besides WFLW: their formats, subsets, boxes and normalisers."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import boxes, datasets
from nmebench.datasets import benchmark
from nmebench.errors import InputError
from nmebench.geometry import crop, images, scheme

IMAGES_300W = ("helen/testset/30427236_1.jpg", "lfpw/testset/image_0001.png", "ibug/image_092 _01.jpg")


def _points(name: str, faces: int) -> np.ndarray:
    return np.random.default_rng(7).uniform(20, 90, (faces, scheme.load(name).points, 2)).round(3)


def _write_csv(file: Path, names: Sequence[str], points: np.ndarray, *, box: bool = False) -> None:
    head = ["image_name", "scale", *(["box_size"] if box else []), "center_w", "center_h"]
    head += [f"original_{index}_{axis}" for index in range(points.shape[1]) for axis in "xy"]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(head)
        for name, face in zip(names, points, strict=True):
            writer.writerow([name, 0.64, *([128.0] if box else []), 50, 60, *face.reshape(-1).tolist()])


def _write_json(file: Path, points: np.ndarray, **extra: Any) -> dict[str, Any]:
    file.parent.mkdir(parents=True, exist_ok=True)
    table = {
        "images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(len(points))],
        "annotations": [
            {"id": i, "image_id": i, "keypoints": [v for x, y in face.tolist() for v in (x, y, 1 + i % 2)], **extra}
            for i, face in enumerate(points)
        ],
    }
    file.write_text(json.dumps(table))
    return table


@pytest.mark.parametrize("name", [name for name in benchmark.names() if name != "wflw"])
@pytest.mark.parametrize("kind", ["hrnet-csv", "mmpose-json"])
def test_each_format_of_each_benchmark_is_found_and_read(name: str, kind: str, tmp_path: Path) -> None:
    found = benchmark.load(name)
    if kind not in found.files["test"]:
        pytest.skip(f"{found.title} doesn't come as {kind}")
    points = _points(found.scheme, 3)
    file = tmp_path / "annotations" / found.files["test"][kind]
    if kind == "hrnet-csv":
        _write_csv(file, ["a.jpg", "b.jpg", "a.jpg"], points, box=name == "aflw")
    else:
        _write_json(file, points, **({"bbox": [1, 2, 30, 40]} if found.json_boxes else {"center": [5, 6], "scale": 1}))
    dataset = datasets.load(f"{name}:{tmp_path}")
    assert dataset.name == name
    assert dataset.format == kind
    np.testing.assert_array_equal(dataset.landmarks, points)
    assert dataset.describe() == f"3 of {found.counts['test']['test']} faces"


def test_the_parts_of_300w_follow_the_folders_of_the_photographs(tmp_path: Path) -> None:
    points = _points("ibug68", 3)
    _write_csv(tmp_path / "face_landmarks_300w_valid.csv", IMAGES_300W, points)
    dataset = datasets.load(f"300w:{tmp_path}")
    assert {name: mask.tolist() for name, mask in dataset.subsets.items()} == {
        "test": [True, True, True],
        "common": [True, True, False],
        "challenge": [False, False, True],
    }


def test_the_parts_of_300w_follow_their_lists_where_they_exist(tmp_path: Path) -> None:
    points, names = _points("ibug68", 3), ("a.jpg", "b.jpg", "c.jpg")
    _write_csv(tmp_path / "face_landmarks_300w_valid.csv", names, points)
    _write_csv(tmp_path / "face_landmarks_300w_valid_challenge.csv", names[1:2], points[1:2])
    dataset = datasets.load(f"300w:{tmp_path}")
    assert dataset.subsets["challenge"].tolist() == [False, True, False]
    assert "common" not in dataset.subsets
    assert any("there is no subset common" in note for note in dataset.notes)


def test_a_folder_name_inside_another_name_is_no_subset(tmp_path: Path) -> None:
    _write_csv(tmp_path / "face_landmarks_300w_valid.csv", ("my-ibug/a.jpg", "x/ibug/b.jpg"), _points("ibug68", 2))
    assert datasets.load(f"300w:{tmp_path}").subsets["challenge"].tolist() == [False, True]


def test_aflw_is_normalised_by_the_side_of_the_annotated_box(tmp_path: Path) -> None:
    _write_csv(tmp_path / "face_landmarks_aflw_test.csv", ["a.jpg"] * 2, _points("aflw19", 2), box=True)
    dataset = datasets.load(f"aflw:{tmp_path}")
    assert dataset.normaliser().tolist() == [128.0, 128.0]


def test_a_normaliser_by_the_box_needs_the_box() -> None:
    aflw = scheme.load("aflw19")
    with pytest.raises(InputError, match="'annotated-box' of aflw19 needs the box of each face"):
        scheme.normaliser(aflw, np.zeros((1, 19, 2)))


def test_aflw_without_a_header_is_not_read_as_300w(tmp_path: Path) -> None:
    file = tmp_path / "face_landmarks_aflw_test.csv"
    _write_csv(file, ["a.jpg"], _points("aflw19", 1), box=True)
    file.write_text("\n".join(file.read_text().splitlines()[1:]))
    with pytest.raises(InputError, match="43 cells, expected 42"):
        datasets.load(f"aflw:{tmp_path}")


def test_the_box_of_cofw_is_the_bbox_of_the_json(tmp_path: Path) -> None:
    _write_json(tmp_path / "cofw_test.json", _points("cofw29", 1), bbox=[38.0, 102.0, 105.0, 180.0])
    found = boxes.create("rect")(datasets.load(f"cofw:{tmp_path}"))
    assert found.centre.tolist() == [[38 + 105 / 2, 102 + 180 / 2]]
    assert found.size.tolist() == [[225.0, 225.0]]


def test_the_bbox_of_a_wflw_json_is_not_the_official_rectangle(tiny: Any) -> None:
    assert datasets.load(f"wflw:{tiny.json}").rect is None


@pytest.mark.parametrize("bbox", [None, [1, 2, 3], [1, 2, 3, "x"], "1 2 3 4"])
def test_a_missing_or_wrong_bbox_is_refused(bbox: Any, tmp_path: Path) -> None:
    _write_json(tmp_path / "cofw_test.json", _points("cofw29", 1), bbox=bbox)
    with pytest.raises(InputError, match=r"annotation 1: .*bbox"):
        datasets.load(f"cofw:{tmp_path}")


def test_a_list_of_another_scheme_is_refused(tmp_path: Path) -> None:
    _write_csv(tmp_path / "face_landmarks_300w_valid.csv", ["a.jpg"], _points("cofw29", 1))
    with pytest.raises(InputError, match="78 columns are missing"):
        datasets.load(f"300w:{tmp_path}")


def test_a_format_that_a_benchmark_does_not_have_is_refused(tmp_path: Path) -> None:
    _write_csv(tmp_path / "lapa.csv", ["a.jpg"], _points("lapa106", 1))
    with pytest.raises(InputError, match=r"unknown format of LaPa 'hrnet-csv' \(known: mmpose-json, lapa-txt\)"):
        datasets.load(f"lapa:{tmp_path / 'lapa.csv'}")


# mmpose's own samples: what mmpose 1.3.2 reads of them (`nox -s parity` compares with mmpose itself).
SAMPLES = {"300w-private": "300w", "aflw": "aflw", "cofw": "cofw", "lapa": "lapa"}


@pytest.mark.parametrize(("name", "folder"), SAMPLES.items(), ids=SAMPLES)
def test_mmposes_samples_are_read_with_their_photographs(name: str, folder: str, shared: Path) -> None:
    place = shared / "benchmarks" / "mmpose_samples" / folder
    dataset = datasets.load(f"{name}:{place / f'test_{folder}.json'}")
    table = json.loads((place / f"test_{folder}.json").read_text())
    for row, annotation in enumerate(table["annotations"]):
        keypoints = np.array(annotation["keypoints"]).reshape(-1, 3)
        np.testing.assert_array_equal(dataset.landmarks[row], keypoints[:, :2])
    rule = boxes.create("rect" if dataset.centre_scale is None else "annotation")
    found = rule(dataset).for_input((256, 256))
    assert dataset.image_root is not None
    for row in range(len(dataset)):
        photograph = images.read(dataset.image_root / dataset.images[row])
        assert photograph.shape[2] == 3
        cut = crop.crop(photograph, found.centre[row], found.size[row], (256, 256))
        assert cut.shape == (256, 256, 3)
        assert cut.std() > 10
