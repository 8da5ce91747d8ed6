"""LaPa's own files: one .txt per face."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from face_files import random_points, write_lapa

from nmebench import datasets
from nmebench.errors import InputError

POINTS = random_points(3, 106).round(1)
POINTS[0, [0, -1]] = (1.5, 230.0), (235.0, 2.5)  # the box is between the first and the last landmark
NAMES = ("10_0", "9_1", "a")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three faces of the test split with photographs and parsing maps, and one of the training split."""
    write_lapa(tmp_path, POINTS, NAMES)
    write_lapa(tmp_path, POINTS[:1] + 1, ["t"], "train")
    for folder in ("images", "labels"):
        (tmp_path / "test" / folder).mkdir()
        for name in NAMES:
            cv2.imwrite(str(tmp_path / "test" / folder / f"{name}.jpg"), np.zeros((250, 240, 3), np.uint8))
    return tmp_path


def test_faces_are_sorted_by_name_with_their_photographs(root: Path) -> None:
    dataset = datasets.load(f"lapa:{root}")
    assert (dataset.format, dataset.origin) == ("lapa-txt", None)
    assert dataset.images == tuple(f"test/images/{name}.jpg" for name in NAMES)
    assert dataset.image_root == root
    np.testing.assert_array_equal(dataset.landmarks, POINTS)
    np.testing.assert_array_equal(dataset.rect, np.concatenate([POINTS.min(1), POINTS.max(1)], 1))
    assert dataset.describe() == "3 of 2000 faces"
    assert [file.name for file in dataset.files] == ["3 .txt files"]


def test_each_split_has_its_own_folder(root: Path) -> None:
    train = datasets.load(f"lapa:{root}", split="train")
    np.testing.assert_array_equal(train.landmarks, POINTS[:1] + 1)
    with pytest.raises(InputError, match="looked in train/landmarks"):
        datasets.load(f"lapa:{root / 'test'}", format="lapa-txt", split="train")


def test_a_folder_without_files_names_all_that_was_looked_for(root: Path) -> None:
    with pytest.raises(InputError, match=r"looked for lapa_test\.json; and for \.txt files in test/landmarks"):
        datasets.load(f"lapa:{root / 'test'}")


def test_a_json_in_the_folder_is_preferred(root: Path) -> None:
    keypoints = np.concatenate([POINTS[0], np.full((106, 1), 2.0)], 1).reshape(-1).tolist()
    table = {
        "images": [{"id": 1, "file_name": f"test/images/{NAMES[0]}.jpg"}],
        "annotations": [{"image_id": 1, "keypoints": keypoints, "bbox": [1, 2, 3, 4]}],
    }
    (root / "annotations").mkdir()
    (root / "annotations" / "lapa_test.json").write_text(json.dumps(table))
    assert datasets.load(f"lapa:{root}").format == "mmpose-json"
    assert len(datasets.load(f"lapa:{root}", format="lapa-txt")) == 3


def test_the_samples_of_mmpose_are_read_alike(shared: Path, tmp_path: Path) -> None:
    sample = datasets.load(f"lapa:{shared / 'benchmarks/mmpose_samples/lapa/test_lapa.json'}")
    write_lapa(tmp_path, sample.landmarks, [Path(image).stem for image in sample.images])
    dataset = datasets.load(f"lapa:{tmp_path}")
    np.testing.assert_array_equal(dataset.landmarks, sample.landmarks)
    np.testing.assert_array_equal(dataset.rect, sample.rect)


def test_the_release_has_more_files_than_are_searched_for_a_list(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmebench.datasets.locate.MAX_ENTRIES", 6)
    assert len(datasets.load(f"lapa:{root}")) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("106\n", "68\n", 1), "the first line is '68' and 106 lines follow, expected 106"),
        (lambda text: text + "1 2\n", "107 lines follow"),
        (lambda text: text[: len(text) // 2].rpartition("\n")[0], "lines follow"),
        (lambda text: text.replace("106\n", "106\n7 ", 1), "landmark 0 has 3 numbers, expected x and y"),
        (lambda text: text.replace(".", ",", 1), "write a decimal point, not a comma"),
        (lambda text: text.replace("106\n", "", 1), "105 lines follow"),
        (lambda text: "", "the first line is '' and 0 lines follow"),
        (lambda text: "106\n" + "nan 1\n" * 106, "landmark 0 x is nan, not a finite number"),
    ],
)
def test_a_damaged_file_is_named(root: Path, change: Callable[[str], str], message: str) -> None:
    file = root / "test" / "landmarks" / "9_1.txt"
    file.write_text(change(file.read_text()))
    with pytest.raises(InputError) as caught:
        datasets.load(f"lapa:{root}")
    assert "test/landmarks/9_1.txt: " in str(caught.value)
    assert message in str(caught.value)
