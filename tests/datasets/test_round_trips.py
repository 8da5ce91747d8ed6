"""Every format of every benchmark, converted to nmebench's own json and npz and read back without a change."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from face_files import cofw_content, random_points, spiga_faces, write_cofw68, write_lapa, write_spiga

from nmebench import datasets
from nmebench.contracts import dataset_contract
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.write_faces import write

FACES = 3
OCCLUDED = np.random.default_rng(1).random((FACES, 68)) < 0.3
BOXES = np.array([[15.0, 18.0, 190.0, 191.0], [30.0, 20.0, 150.0, 170.0], [1.5, 1.0, 200.0, 201.0]])


def _photographs(root: Path, names: list[str]) -> list[str]:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), np.full((250, 240, 3), len(name), np.uint8))
    return names


def _spiga_public(root: Path) -> str:
    names = _photographs(root, [f"images/test/{name}.png" for name in "abc"])
    write_spiga(root / "test.json", spiga_faces(random_points(FACES, 68), names))
    (root / "db_info.json").write_text(json.dumps({"test_subsets": {"common": [0, 2], "ibug": [1]}}))
    return f"300w:{root}"


def _spiga_cofw68(root: Path) -> str:
    names = _photographs(root, [f"images/{1345 + number:05d}.png" for number in range(FACES)])
    write_spiga(root / "test.json", spiga_faces(random_points(FACES, 68), names, ~OCCLUDED))
    return f"cofw68:{root}"


def _cofw68_mat(root: Path) -> str:
    _photographs(root, [f"images/{1346 + number:06d}.png" for number in range(FACES)])
    write_cofw68(root, random_points(FACES, 68), OCCLUDED, BOXES)
    return f"cofw68:{root}"


def _cofw_mat(root: Path) -> str:
    pytest.importorskip("h5py")
    pictures = [np.random.default_rng(face).integers(0, 255, (210, 220, 3), dtype=np.uint8) for face in range(FACES)]
    content = cofw_content(random_points(FACES, 29), OCCLUDED[:, :29], BOXES, pictures)
    (root / "COFW_test_color.mat").write_bytes(content)
    return f"cofw:{root}"


def _lapa_txt(root: Path) -> str:
    _photographs(root, [f"test/images/{name}.jpg" for name in "abc"])
    write_lapa(root, random_points(FACES, 106), list("abc"))
    return f"lapa:{root}"


def _pts(root: Path) -> str:
    for number, face in enumerate(random_points(FACES, 68)):
        _photographs(root, [f"Test/01_Indoor/indoor_{number}.png"])
        lines = "\n".join(f"{x!r} {y!r}" for x, y in face.tolist())
        text = f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n"
        (root / "Test" / "01_Indoor" / f"indoor_{number}.pts").write_text(text)
    return f"300w-private:{root}"


def _aflw_csv(root: Path) -> str:
    names = _photographs(root, [f"images/flickr/0/image{number}.jpg" for number in range(FACES)])
    points = random_points(FACES, 19)
    header = ["image_name", "scale", "box_size", "center_w", "center_h"]
    header += [f"original_{point}_{axis}" for point in range(19) for axis in "xy"]
    for ending, rows in {"": [0, 1, 2], "_frontal": [1]}.items():
        with (root / f"face_landmarks_aflw_test{ending}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(header)
            for row in rows:
                name = names[row].removeprefix("images/")
                table.writerow([name, 1.81 + row, 362.0 + 200 * row, 100.0, 101.5, *points[row].reshape(-1).tolist()])
    return f"aflw:{root}"


MAKERS = (_spiga_public, _spiga_cofw68, _cofw68_mat, _cofw_mat, _lapa_txt, _pts, _aflw_csv)


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__.strip("_"))
def spec(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    make: Callable[[Path], str] = request.param
    (tmp_path / "data").mkdir()
    return make(tmp_path / "data")


def _assert_equal(after: Dataset, before: Dataset) -> None:
    for name in ("landmarks", "occluded", "rect", "centre_scale"):
        one, other = getattr(after, name), getattr(before, name)
        assert (one is None) == (other is None), name
        if one is not None:
            np.testing.assert_array_equal(one, other, name)
    assert after.images == before.images
    assert after.scheme == before.scheme
    assert {name: mask.tolist() for name, mask in after.subsets.items()} == {
        name: mask.tolist() for name, mask in before.subsets.items()
    }
    for name in ("origin", "thresholds", "default_normaliser"):
        assert getattr(after, name) == getattr(before, name), name
    np.testing.assert_array_equal(after.normaliser(), before.normaliser())
    assert after.photographs.sha256 == before.photographs.sha256


def test_the_converted_faces_are_the_same(spec: str, tmp_path: Path) -> None:
    before = datasets.load(spec)
    assert len(before) == FACES
    assert before.image_root is not None
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "images").symlink_to(before.image_root)
    definition = write(before, tmp_path / "out", "copy", arrays=True)
    _assert_equal(datasets.load(f"benchmark:{definition}"), before)
    _assert_equal(datasets.load(f"benchmark:{definition}::{definition.with_suffix('.npz')}"), before)
    again = write(datasets.load(f"benchmark:{definition}"), tmp_path / "again", "copy", arrays=True)
    for ending in (".toml", ".json", ".npz"):
        assert again.with_suffix(ending).read_bytes() == definition.with_suffix(ending).read_bytes()


def test_the_data_set_fulfils_the_contract(spec: str) -> None:
    results = dataset_contract.run_checks(spec)
    assert [result for result in results if result.outcome != "passed"] == []
