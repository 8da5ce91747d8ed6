"""COFW-68's own files: one MATLAB file per face, the boxes, and COFW's photographs."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_files import cofw_content, random_points, spiga_faces, write_cofw68, write_spiga
from scipy.io import loadmat, savemat

from nmebench import boxes, datasets
from nmebench.datasets.readers.mat_numbers import read_mat_numbers
from nmebench.errors import InputError
from nmebench.geometry import images

FACES = 11
POINTS = random_points(FACES, 68)
OCCLUDED = np.random.default_rng(3).random((FACES, 68)) < 0.3
BOXES = np.random.default_rng(4).integers(10, 100, (FACES, 4)).astype(float)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cofw68(tmp_path, POINTS, OCCLUDED, BOXES)
    return tmp_path


def test_faces_are_sorted_by_number(root: Path) -> None:
    dataset = datasets.load(f"cofw68:{root}")
    np.testing.assert_array_equal(dataset.landmarks, POINTS)
    np.testing.assert_array_equal(dataset.occluded, OCCLUDED)
    assert dataset.images[:2] == ("001346.png", "001347.png")
    assert dataset.images[10] == "001356.png"
    assert (dataset.format, dataset.origin, dataset.image_root) == ("cofw68-mat", 1, None)
    assert dataset.describe() == "11 of 507 faces"
    found = boxes.create("rect")(dataset)
    np.testing.assert_array_equal(found.centre, BOXES[:, :2] + BOXES[:, 2:] / 2)


def test_the_boxes_are_part_of_the_hash(root: Path) -> None:
    before = datasets.load(f"cofw68:{root}").files
    savemat(root / "cofw68_test_bboxes.mat", {"bboxes": BOXES + 1})
    after = datasets.load(f"cofw68:{root}").files
    assert before[0].sha256 != after[0].sha256
    (root / "cofw68_test_bboxes.mat").unlink()
    assert datasets.load(f"cofw68:{root}").rect is None


def test_a_missing_face_keeps_the_numbers_of_the_others(root: Path) -> None:
    (root / "test_annotations" / "3_points.mat").unlink()
    dataset = datasets.load(f"cofw68:{root}")
    np.testing.assert_array_equal(dataset.landmarks, np.delete(POINTS, 2, axis=0))
    assert dataset.images[2] == "001349.png"
    assert dataset.rect is not None
    np.testing.assert_array_equal(dataset.rect[2, :2], BOXES[3, :2])


def test_spigas_copy_gives_the_same_faces_and_photographs(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("h5py")
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(5)
    pictures = [random.integers(0, 255, (20 + n, 30, 3), dtype=np.uint8) for n in range(FACES)]
    content = cofw_content(POINTS[:, :29], OCCLUDED[:, :29], BOXES, pictures)
    (root / "COFW_test_color.mat").write_bytes(content)
    names = [f"images/{1345 + n:05d}.jpg" for n in range(FACES)]
    write_spiga(root / "spiga" / "test.json", spiga_faces(POINTS, names, ~OCCLUDED))
    own, copy = datasets.load(f"cofw68:{root}", format="cofw68-mat"), datasets.load(f"cofw68:{root / 'spiga'}")
    np.testing.assert_array_equal(copy.landmarks, own.landmarks)
    np.testing.assert_array_equal(copy.occluded, own.occluded)
    assert own.images == copy.images
    assert own.image_root == copy.image_root
    assert own.image_root is not None
    for image, picture in zip(own.images, pictures, strict=True):
        np.testing.assert_array_equal(images.read(own.image_root / image), picture[..., ::-1])
    assert [file.name for file in own.files] == ["11 _points.mat files", "COFW_test_color.mat"]


def test_the_folders_of_a_download_are_read_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive adds a folder to COFW-68, and COFW's own archive has its files five folders deep."""
    pytest.importorskip("h5py")
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    write_cofw68(tmp_path / "cofw68" / "cofw68-benchmark-master", POINTS, OCCLUDED, BOXES)
    pictures = [np.full((20, 30, 3), n, np.uint8) for n in range(FACES)]
    deep = tmp_path / "cofw" / "common" / "xpburgos" / "behavior" / "code" / "pose"
    deep.mkdir(parents=True)
    content = cofw_content(POINTS[:, :29], OCCLUDED[:, :29], BOXES, pictures)
    (deep / "COFW_test_color.mat").write_bytes(content)
    dataset = datasets.load(f"cofw68:{tmp_path / 'cofw68'}")
    assert len(dataset) == FACES
    assert dataset.rect is not None
    assert dataset.image_root is not None
    assert images.read(dataset.image_root / dataset.images[3])[0, 0].tolist() == [3, 3, 3]
    assert datasets.load(f"cofw:{tmp_path / 'cofw'}").image_root == dataset.image_root
    assert not any("there is no" in note for note in dataset.notes)
    write_cofw68(tmp_path / "cofw68" / "copy", POINTS, OCCLUDED, BOXES)
    with pytest.raises(InputError, match="holds the data set twice"):
        datasets.load(f"cofw68:{tmp_path / 'cofw68'}")


def _save(**variables: Any) -> Callable[[Path], None]:
    return lambda file: savemat(file, variables)


def _bomb(file: Path) -> None:
    data = zlib.compress(bytes(64 << 20), 9)
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    file.write_bytes(head + (15).to_bytes(4, "little") + len(data).to_bytes(4, "little") + data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_save(Points=POINTS[0].T, Occ=OCCLUDED[:1]), "Points is [2, 68], expected [68, 2]"),
        (_save(Points=POINTS[0], Occ=OCCLUDED[:1] * 2.0), "Occ is [1, 68], expected [1, 68] values that are 0 or 1"),
        (_save(Points=POINTS[0], Occ=OCCLUDED[:1, :67]), "Occ is [1, 67]"),
        (_save(Points=POINTS[0]), "no variable 'Occ'"),
        (_save(Points="text", Occ=OCCLUDED[:1]), "Points is text, expected a matrix of real numbers"),
        (_save(Points=np.where(POINTS[0] < 50, np.nan, POINTS[0]), Occ=OCCLUDED[:1]), "nan, not a finite number"),
        (_save(Points={"x": 1}, Occ=OCCLUDED[:1]), "Points is a structure, expected"),
        (_save(Points=np.array([1, "a"], object), Occ=OCCLUDED[:1]), "Points is a cell array, expected"),
        (_save(Points=POINTS[0] * 1j, Occ=OCCLUDED[:1]), "Points is an array of class 6, 2 dimensions, expected"),
        (_save(Points=POINTS[:2], Occ=OCCLUDED[:1]), "Points is an array of class 6, 3 dimensions, expected"),
        (lambda file: file.write_bytes(file.read_bytes()[:300]), "is not a MATLAB file that can be read"),
        (lambda file: file.write_bytes(b"MATLAB 7.3 MAT-file".ljust(200)), "version 7.3, expected version 5"),
        (lambda file: file.write_text("1 2 3"), "does not begin with 'MATLAB 5.0'"),
        (_bomb, "unpacks to more than 1,048,576 bytes"),
    ],
)
def test_a_damaged_file_is_named(root: Path, change: Callable[[Path], Any], message: str) -> None:
    change(root / "test_annotations" / "4_points.mat")
    with pytest.raises(InputError) as caught:
        datasets.load(f"cofw68:{root}")
    assert "test_annotations/4_points.mat" in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_a_number_is_refused(root: Path) -> None:
    (root / "test_annotations" / "4_points.mat").rename(root / "test_annotations" / "04_points.mat")
    with pytest.raises(InputError, match=r"04_points\.mat: the name has no number"):
        datasets.load(f"cofw68:{root}")


def test_too_few_boxes_are_refused(root: Path) -> None:
    savemat(root / "cofw68_test_bboxes.mat", {"bboxes": BOXES[:7]})
    with pytest.raises(
        InputError, match=r"8_points\.mat: cofw68_test_bboxes\.mat has 7 boxes: there is none for number 8"
    ):
        datasets.load(f"cofw68:{root}")
    savemat(root / "cofw68_test_bboxes.mat", {"bboxes": BOXES.T})
    with pytest.raises(InputError, match=r"bboxes is \[4, 11\], expected x, y, width, height of each face"):
        datasets.load(f"cofw68:{root}")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "?"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 2), (2, 0), (68, 2)])
def test_numbers_are_those_that_scipy_reads(
    kind: str, shape: tuple[int, int], compressed: bool, tmp_path: Path
) -> None:
    value = (np.arange(np.prod(shape)).reshape(shape) * 1.75 % 100).astype(kind)
    savemat(tmp_path / "a.mat", {"other": "text", "A": value, "a_very_long_name": 1.5}, do_compression=compressed)
    found = read_mat_numbers(tmp_path / "a.mat", ("A", "a_very_long_name"))
    wanted = loadmat(tmp_path / "a.mat")
    for name, array in found.items():
        np.testing.assert_array_equal(array, wanted[name].astype(np.float64))
        assert array.shape == wanted[name].shape
    assert found["A"].shape == shape


def test_whole_numbers_are_read_as_floats(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"Points": np.arange(6, dtype=np.int32).reshape(3, 2)})
    found = read_mat_numbers(tmp_path / "a.mat", ("Points",))["Points"]
    assert found.dtype == np.float64
    assert found.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
