"""A split on disk: WFLW's layout, the manifest, the cache, and refused requests."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.protocol import LIST_NAMES
from nmebench.synthface import attributes_of, cached, draw, fault_of, make
from nmebench.synthface.layout import MANIFEST, files_of, hash_of

FULL = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{}.txt"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    seen: list[tuple[int, int]] = []
    root = make(
        tmp_path_factory.mktemp("synthface") / "split",
        faces=6,
        seed=21,
        train_faces=2,
        workers=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(step, 8) for step in range(1, 9)]
    return root


def test_the_lists_hold_the_landmarks_and_name_the_images(made: Path) -> None:
    lines = (made / FULL.format("test")).read_text().splitlines()
    assert len(lines) == 6
    for index, line in enumerate(lines):
        tokens = line.split(" ")
        assert len(tokens) == 207
        face = draw(21, "test", index)
        assert (np.array(tokens[:196], float).reshape(98, 2) == face.landmarks).all()
        assert tuple(map(int, tokens[196:200])) == face.rect
        assert tuple(token == "1" for token in tokens[200:206]) == face.attributes
        image = cv2.imread(str(made / "WFLW_images" / tokens[206]))
        assert image.shape == face.image.shape
        # The file is a JPEG of the drawn image.
        assert np.abs(image.astype(int) - face.image).mean() < 4.0
    assert len((made / FULL.format("train")).read_text().splitlines()) == 2


def test_subset_lists_hold_the_faces_with_the_attribute(made: Path) -> None:
    folder = made / "WFLW_annotations/list_98pt_test"
    counts = attributes_of(21, "test", 6).sum(axis=0)
    for subset, count in zip(LIST_NAMES.values(), counts, strict=True):
        lines = (folder / f"list_98pt_test_{subset}.txt").read_text().splitlines()
        assert len(lines) == count
        assert all(len(line.split()) == 197 for line in lines)
    assert len((folder / "list_98pt_test.txt").read_text().splitlines()) == 6


def test_two_workers_make_the_same_files(made: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other", faces=6, seed=21, train_faces=2, workers=2)
    assert files_of(other) == files_of(made)
    assert (other / MANIFEST).read_bytes() == (made / MANIFEST).read_bytes()


def test_the_manifest_names_every_file_by_its_hash(made: Path) -> None:
    manifest = json.loads((made / MANIFEST).read_text())
    assert manifest["seed"] == 21
    assert manifest["splits"] == {"test": 6, "train": 2}
    assert manifest["files"] == {name: hash_of(made / name) for name in files_of(made)}
    assert fault_of(made) is None


def test_a_cache_that_was_tampered_with_is_drawn_again(tmp_path: Path) -> None:
    root = cached(faces=2, seed=3, cache=tmp_path, workers=1)
    good = {name: hash_of(root / name) for name in files_of(root)}
    image = next(root.rglob("*.jpg"))

    def again() -> Path:
        return cached(faces=2, seed=3, cache=tmp_path, workers=1)

    stamp = image.stat().st_mtime_ns
    assert again() == root
    assert image.stat().st_mtime_ns == stamp, "an intact cache is not drawn again"
    for harm in ("changed", "missing", "foreign-file", "manifest"):
        if harm == "changed":
            image.write_bytes(image.read_bytes() + b"x")
            named = image.name
        elif harm == "missing":
            image.unlink()
            named = image.name
        elif harm == "foreign-file":
            (root / "more.txt").write_text("?")
            named = "more.txt"
        else:
            (root / MANIFEST).write_text("{}")
            named = MANIFEST
        with pytest.warns(UserWarning, match=re.escape(named)):
            again()
        assert {name: hash_of(root / name) for name in files_of(root)} == good


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"faces": 0}, "faces is 0"),
        ({"faces": -5}, "faces is -5"),
        ({"faces": 1, "train_faces": -1}, "train_faces is -1"),
        ({"faces": 1, "seed": -1}, "seed is -1"),
        ({"faces": 1, "split": "valid"}, "choose one of train, test"),
        ({"faces": 1, "workers": 0}, "workers is 0"),
        ({"faces": 1, "split": "train", "train_faces": 1}, "training faces once"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make(tmp_path / "new", **{"seed": 1, **wrong})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something already"):
        make(tmp_path, faces=1, seed=1)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match="can't be written"):
        make(blocked / "new", faces=1, seed=1)
    with pytest.raises(InputError, match="NMEBENCH_CACHE"):
        cached(faces=1, cache=blocked)


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "new", faces=2, seed=1, workers=1, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_fault_of_a_manifest_with_odd_values_is_one_line(tmp_path: Path) -> None:
    for manifest in ({"files": {}, "renderer_version": "a\nb" * 1000}, {"files": {"a\nb": ""}, "renderer_version": 1}):
        (tmp_path / "synthface.json").write_text(json.dumps(manifest))
        fault = fault_of(tmp_path)
        assert fault is not None
        assert fault.isprintable()
        assert len(fault) < 300
    for text in ("[" * 100_000, "9" * 5000, "3", '{"files": 3}', "\0"):
        (tmp_path / "synthface.json").write_text(text)
        assert fault_of(tmp_path) == "synthface.json is missing or damaged"
