"""COFW's MATLAB files: landmarks, boxes, occlusions and photographs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_files import cofw_content, random_points

from nmebench import boxes, datasets
from nmebench.datasets.matlab_pictures import extracted
from nmebench.errors import InputError
from nmebench.geometry import images

h5py = pytest.importorskip("h5py")

POINTS = random_points(3, 29)
OCCLUDED = np.random.default_rng(6).random((3, 29)) < 0.3
BOXES = np.array([[15.0, 18.0, 190.0, 191.0], [30.0, 20.0, 150.0, 170.0], [1.0, 1.0, 200.0, 201.0]])
PICTURES = [
    np.random.default_rng(7).integers(0, 255, (40, 50, 3), dtype=np.uint8),
    np.random.default_rng(8).integers(0, 255, (41, 50), dtype=np.uint8),
    np.random.default_rng(9).integers(0, 255, (42, 50, 3), dtype=np.uint8),
]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "COFW"
    folder.mkdir()
    (folder / "COFW_test_color.mat").write_bytes(cofw_content(POINTS, OCCLUDED, BOXES, PICTURES))
    return folder


def test_it_gives_the_faces_of_mmposes_json(root: Path) -> None:
    dataset = datasets.load(f"cofw:{root}")
    np.testing.assert_array_equal(dataset.landmarks, POINTS - 1)
    np.testing.assert_array_equal(dataset.occluded, OCCLUDED)
    assert dataset.images == ("001346.png", "001347.png", "001348.png")
    assert (dataset.format, dataset.origin, dataset.describe()) == ("cofw-mat", 0, "3 of 507 faces")
    found = boxes.create("rect")(dataset)
    np.testing.assert_array_equal(found.centre, BOXES[:, :2] + BOXES[:, 2:] / 2)  # no 1 is subtracted


def test_the_training_file_counts_from_1(tmp_path: Path) -> None:
    (tmp_path / "COFW_train_color.mat").write_bytes(cofw_content(POINTS, OCCLUDED, BOXES, PICTURES, "train"))
    train = datasets.load(f"cofw:{tmp_path}", split="train")
    assert train.images == ("000001.png", "000002.png", "000003.png")
    assert train.describe() == "3 of 1345 faces"
    with pytest.raises(InputError, match=r"holds COFW's train faces \(phisTr\), not the test faces"):
        datasets.load(f"cofw:{tmp_path / 'COFW_train_color.mat'}")


def test_the_photographs_are_those_of_the_file(root: Path) -> None:
    dataset = datasets.load(f"cofw:{root}")
    assert dataset.image_root is not None
    for image, picture in zip(dataset.images, PICTURES, strict=True):
        wanted = picture[..., ::-1] if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2)
        np.testing.assert_array_equal(images.read(dataset.image_root / image), wanted)


def test_the_photographs_are_stored_once_and_completely(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = root / "COFW_test_color.mat"
    folder = extracted(file)
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert sorted(times) == ["001346.png", "001347.png", "001348.png"]
    assert extracted(file) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    file.write_bytes(cofw_content(POINTS, OCCLUDED, BOXES, [PICTURES[0], PICTURES[1], PICTURES[0][:9].astype(float)]))  # type: ignore[list-item]
    with pytest.raises(InputError, match="picture 3 is missing or holds no pixels of 8 bits"):
        datasets.load(f"cofw:{root}")
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == [folder.name]


@pytest.mark.parametrize("fault", ["changed", "missing", "added", "list"])
def test_stored_photographs_that_were_changed_are_stored_again(root: Path, fault: str) -> None:
    file = root / "COFW_test_color.mat"
    folder = extracted(file)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    if fault == "changed":
        (folder / "001347.png").write_bytes(before["001346.png"])
    elif fault == "missing":
        (folder / "001347.png").unlink()
    elif fault == "added":
        (folder / "001349.png").write_bytes(before["001346.png"])
    else:
        folder.with_name(folder.name + ".json").unlink()
    with pytest.warns(UserWarning, match="storing the photographs again"):
        assert extracted(file) == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_coordinates_outside_the_picture_become_0_as_in_mmpose(root: Path) -> None:
    points = POINTS.copy()
    points[1, 4] = (-3.5, 0.25)
    (root / "COFW_test_color.mat").write_bytes(cofw_content(points, OCCLUDED, BOXES, PICTURES))
    dataset = datasets.load(f"cofw:{root}")
    assert dataset.landmarks[1, 4].tolist() == [0.0, 0.0]
    note = "COFW_test_color.mat: 2 coordinates at or beyond the left or upper edge are 0, as in mmpose's json"
    assert note in dataset.notes


def test_mmposes_samples_are_read_alike(shared: Path, tmp_path: Path) -> None:
    sample = datasets.load(f"cofw:{shared / 'benchmarks/mmpose_samples/cofw/test_cofw.json'}")
    assert sample.rect is not None
    assert sample.occluded is not None
    box = np.concatenate([sample.rect[:, :2], sample.rect[:, 2:] - sample.rect[:, :2]], 1)
    content = cofw_content(sample.landmarks + 1, sample.occluded, box, PICTURES[:2])
    (tmp_path / "COFW_test_color.mat").write_bytes(content)
    dataset = datasets.load(f"cofw:{tmp_path}")
    np.testing.assert_allclose(dataset.landmarks, sample.landmarks, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(dataset.rect, sample.rect)
    np.testing.assert_array_equal(dataset.occluded, sample.occluded)


PHIS = np.concatenate([POINTS[..., 0], POINTS[..., 1], OCCLUDED], 1)


def _interleaved() -> np.ndarray:
    return np.concatenate([POINTS, OCCLUDED[..., None]], 2).reshape(3, -1)


def _change(**arrays: np.ndarray) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(cofw_content(POINTS, OCCLUDED, BOXES, PICTURES, **arrays))


def _edit(action: Callable[[Any], object]) -> Callable[[Path], object]:
    def change(file: Path) -> None:
        with h5py.File(file, "r+") as content:
            action(content)

    return change


def _external(content: Any) -> None:
    del content["bboxesT"]
    content.create_dataset("bboxesT", (4, 3), "f8", external=[("/etc/passwd", 0, 96)])


def _virtual(content: Any) -> None:
    del content["bboxesT"]
    layout = h5py.VirtualLayout((4, 3), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "data", (4, 3))
    content.create_virtual_dataset("bboxesT", layout)


def _large(content: Any) -> None:
    del content["phisT"]
    content.create_dataset("phisT", (87, 99_999), "f8", chunks=(87, 99_999))


def _lzf(content: Any) -> None:
    del content["bboxesT"]
    content.create_dataset("bboxesT", data=BOXES.T, compression="lzf")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_change(phis=PHIS), "phisT is [87, 3] as MATLAB shows it, expected one row of 87 numbers per face"),
        (_change(phis=_interleaved().T), "face 1: the last 29 of its 87 numbers are occlusions, not all 0 or 1"),
        (_change(phis=PHIS.T[:, :2]), "phisT has 2 faces, bboxesT has 3 and IsT 3"),
        (_change(phis=np.where(PHIS[1, 3] == PHIS, np.nan, PHIS).T), "face 2: landmark 3 x is nan"),
        (_change(bboxes=BOXES), "bboxesT is [4, 3] as MATLAB shows it, expected one row of 4 numbers per face"),
        (_edit(lambda content: content.pop("IsT")), "has no variable IsT"),
        (_edit(lambda content: content.pop("phisT")), "is no file of COFW: it needs phisT or phisTr"),
        (_edit(lambda content: content.__setitem__("more", h5py.ExternalLink("a.h5", "/"))), "more is a link"),
        (_edit(lambda content: content.__setitem__("more", h5py.SoftLink("/phisT"))), "more is a link"),
        (_edit(_external), "bboxesT is stored in another file, which is not read"),
        (_edit(_virtual), "bboxesT is stored in another file, which is not read"),
        (_edit(_large), "phisT has 99999 faces, bboxesT has 3"),
        (_edit(_lzf), "bboxesT is compressed by the HDF5 filter 32000, which is not read"),
        (lambda file: file.write_bytes(file.read_bytes()[:2000]), "is not a MATLAB file of version 7.3"),
        (
            lambda file: file.write_bytes(b"MATLAB 5.0 MAT-file".ljust(200)),
            "version 5, expected 7.3: save it with -v7.3",
        ),
        (lambda file: file.write_bytes(b"<html>"), "is not a MATLAB file of version 7.3"),
    ],
)
def test_a_damaged_file_is_one_line(root: Path, change: Callable[[Path], object], message: str) -> None:
    change(root / "COFW_test_color.mat")
    with pytest.raises(InputError) as caught:
        datasets.load(f"cofw:{root}")
    assert "COFW_test_color.mat" in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_picture_of_another_kind_is_refused(root: Path) -> None:
    change = _edit(lambda content: content["IsT"].__setitem__((0, 1), content["phisT"].ref))
    change(root / "COFW_test_color.mat")
    with pytest.raises(InputError, match="picture 2 is missing or holds no pixels of 8 bits"):
        datasets.load(f"cofw:{root}")


def test_without_h5py_the_message_says_how_to_get_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"are read with h5py: install it with pip install 'nmebench\[mat\]', or give"):
        datasets.load(f"cofw:{root}")
