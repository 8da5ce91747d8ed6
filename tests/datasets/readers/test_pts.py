"""300-W's own files: one .pts per face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nmebench import datasets
from nmebench.errors import InputError
from nmebench.geometry import scheme

POINTS = np.random.default_rng(68).uniform(10, 300, (4, 68, 2)).round(6)
NAMES = ("helen/testset/3_1", "ibug/image_003_1", "ibug/image_092 _01", "lfpw/testset/image_0001")


def _write(root: Path, name: str, points: np.ndarray, *, ending: str = ".jpg", text: str | None = None) -> Path:
    file = root / f"{name}.pts"
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points)
    file.write_text(text or f"version: 1\nn_points:  {len(points)}\n{{\n{lines}\n}}\n\n")
    if ending:
        (root / f"{name}{ending}").write_bytes(b"")
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four faces of the public test set, one of the training set, and a mirrored copy."""
    for name, points, ending in zip(NAMES, POINTS, (".jpg", ".jpg", ".jpg", ".png"), strict=True):
        _write(tmp_path, name, points, ending=ending)
    _write(tmp_path, "ibug/image_003_1_mirror", POINTS[0])
    _write(tmp_path, "afw/1", POINTS[2])
    return tmp_path


def test_faces_are_paired_by_name_and_sorted(root: Path) -> None:
    dataset = datasets.load(f"300w:{root}")
    assert dataset.format == "pts"
    assert dataset.images == (*(f"{name}.jpg" for name in NAMES[:3]), f"{NAMES[3]}.png")
    np.testing.assert_array_equal(dataset.landmarks, POINTS)
    assert dataset.subsets["common"].tolist() == [True, False, False, True]
    assert dataset.subsets["challenge"].tolist() == [False, True, True, False]
    assert dataset.describe() == "4 of 689 faces"
    assert len(datasets.load(f"300w:{root}", split="train")) == 1


def test_a_csv_in_the_folder_is_preferred(root: Path) -> None:
    header = ["image_name", "scale", "center_w", "center_h", *(f"original_{i}_{a}" for i in range(68) for a in "xy")]
    rows = [
        [name, "1", "2", "3", *map(str, POINTS[2].reshape(-1))] for name in (f"{NAMES[0]}.jpg", "ibug/image_092_01.jpg")
    ]
    (root / "face_landmarks_300w_valid.csv").write_text("\n".join(",".join(line) for line in (header, *rows)))
    dataset = datasets.load(f"300w:{root}")
    assert dataset.format == "hrnet-csv"
    assert dataset.images[1] == "ibug/image_092 _01.jpg"  # the name on disk
    assert datasets.load(f"300w:{root}", format="pts").format == "pts"


def test_the_hash_follows_every_file(root: Path) -> None:
    before = datasets.load(f"300w:{root}").files
    file = root / f"{NAMES[1]}.pts"
    file.write_text(file.read_text().replace("version: 1", "version:  1"))
    assert datasets.load(f"300w:{root}").files != before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("n_points:  68", "n_points:  98"), "n_points is '98' and it has 68 points, expected 68"),
        (lambda t: t.replace("}", ""), "needs the coordinates between { and }"),
        (lambda t: t.replace("\n}", "\n1 2\n}"), "it has 69 points, expected 68"),
        (lambda t: t.replace("{\n", "{\n7 ", 1), "landmark 0 has 3 numbers, expected x and y"),
        (lambda t: t.replace(".", ","), "write a decimal point, not a comma"),
        (lambda t: t.replace("{\n", "{\nnan 1\n", 1).replace("\n}", "}"), "69 points"),
        (lambda t: t[:200], "needs the coordinates between { and }"),
        (lambda t: "", "is empty|needs the coordinates"),
    ],
    ids=["count", "brace", "more", "three", "comma", "nan", "cut", "empty"],
)
def test_a_damaged_file_is_named(root: Path, change: object, message: str) -> None:
    file = root / f"{NAMES[1]}.pts"
    file.write_text(change(file.read_text()))  # type: ignore[operator]
    with pytest.raises(InputError, match=message.replace("{", r"\{").replace("}", r"\}")) as caught:
        datasets.load(f"300w:{root}")
    assert "ibug/image_003_1.pts" in str(caught.value)


def test_a_file_without_its_photograph_is_refused(root: Path) -> None:
    (root / f"{NAMES[3]}.png").unlink()
    with pytest.raises(InputError, match=r"lfpw/testset/image_0001\.pts: there is no photograph image_0001 beside it"):
        datasets.load(f"300w:{root}")


def test_a_folder_without_files_names_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.pts file: looked in helen/testset"):
        datasets.load(f"300w:{tmp_path}", format="pts")
    with pytest.raises(InputError, match="does not hold a 300-W annotation file"):
        datasets.load(f"300w:{tmp_path}")


def test_wflw_has_no_pts_files(tmp_path: Path) -> None:
    assert scheme.load("wflw98").points == 98
    with pytest.raises(InputError, match="unknown format of WFLW 'pts'"):
        datasets.load(f"wflw:{tmp_path}", format="pts")
