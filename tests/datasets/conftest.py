"""A dataset of six faces in five photographs, written in all four formats."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from nmebench.datasets.verify.shapes import shape_of
from nmebench.geometry.scheme import load as load_scheme

LIST_NAMES = ("largepose", "expression", "illumination", "makeup", "occlusion", "blur")


@dataclass(frozen=True)
class Tiny:
    """The files and their content."""

    root: Path
    images: tuple[str, ...]
    landmarks: np.ndarray
    attributes: np.ndarray
    rect: np.ndarray
    centre_scale: np.ndarray

    @property
    def attr(self) -> Path:
        return self.root / "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt"

    @property
    def list(self) -> Path:
        return self.root / "WFLW_annotations/list_98pt_test/list_98pt_test.txt"

    @property
    def csv(self) -> Path:
        return self.root / "hrnet/face_landmarks_wflw_test.csv"

    @property
    def json(self) -> Path:
        return self.root / "mmpose/face_landmarks_wflw_test.json"

    @property
    def files(self) -> dict[str, Path]:
        return {
            "official-attr": self.attr,
            "official-list": self.list,
            "hrnet-csv": self.csv,
            "mmpose-json": self.json,
        }

    def edit(self, file: Path, change: Callable[[str], str]) -> None:
        """Rewrite a file by a function of its text."""
        file.write_bytes(change(file.read_text(encoding="utf-8")).encode())


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in values.reshape(-1))


def _write_json(file: Path, tiny: Tiny, chosen: list[int]) -> None:
    names = sorted({tiny.images[index] for index in chosen})
    table = {
        "images": [{"id": 7 + i, "file_name": name, "width": 96, "height": 80} for i, name in enumerate(names)],
        "annotations": [
            {
                "id": index,
                "image_id": 7 + names.index(tiny.images[index]),
                "keypoints": [value for x, y in tiny.landmarks[index].round(6).tolist() for value in (x, y, 1)],
                "num_keypoints": 98,
                "bbox": [0, 0, 1, 1],
                "iscrowd": 0,
                "area": 1,
                "category_id": 1,
                "center": tiny.centre_scale[index, :2].tolist(),
                "scale": float(tiny.centre_scale[index, 2]),
            }
            for index in chosen
        ],
        "categories": [{"id": 1, "name": "face"}],
    }
    file.write_text(json.dumps(table), encoding="utf-8")


def _write_csv(file: Path, tiny: Tiny, chosen: list[int]) -> None:
    header = ["image_name", "scale", "center_w", "center_h"]
    header += [f"original_{index}_{axis}" for index in range(98) for axis in "xy"]
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        for index in chosen:
            x, y, scale = tiny.centre_scale[index].tolist()
            points = [f"{value:.6f}" for value in tiny.landmarks[index].reshape(-1)]
            writer.writerow([tiny.images[index], scale, x, y, *points])


def build(root: Path) -> Tiny:
    """Write the dataset under ``root``."""
    rng = np.random.default_rng(98)
    images = ("0--A/a 1.jpg", "0--A/b.jpg", "1--B/c.jpg", "1--B/c.jpg", "1--B/d'd.jpg", "2--C/e.jpg")
    shape = shape_of(load_scheme("wflw98"))
    assert shape is not None
    middle = rng.uniform(35, 45, (6, 1, 2))
    landmarks = middle + (shape - [0, 50]) / 79 * rng.uniform(16, 22, (6, 1, 1))
    landmarks = (landmarks + rng.normal(0, 0.3, landmarks.shape)).round(6)
    attributes = np.array(
        [[1, 0, 0, 0, 0, 1], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 1, 0], [1, 0, 0, 1, 0, 0], [0] * 6, [0, 0, 0, 0, 1, 1]],
        dtype=bool,
    )
    low, high = np.floor(landmarks.min(1)), np.ceil(landmarks.max(1))
    scale = (high - low).max(1, keepdims=True) / 200
    tiny = Tiny(
        root=root,
        images=images,
        landmarks=landmarks,
        attributes=attributes,
        rect=np.hstack([low, high]),
        centre_scale=np.hstack([(low + high) / 2, scale]),
    )
    for file in tiny.files.values():
        file.parent.mkdir(parents=True)
    for name in sorted(set(images)):
        path = root / "WFLW_images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = cv2.resize(rng.integers(0, 255, (10, 12, 3), dtype=np.uint8), (96, 80))
        path.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    plain = [f"{_numbers(landmarks[index])} {images[index]}\n" for index in range(6)]
    tiny.attr.write_text(
        "".join(
            f"{_numbers(landmarks[index])} {' '.join(str(int(v)) for v in tiny.rect[index])} "
            f"{' '.join(str(int(flag)) for flag in attributes[index])} {images[index]}\n"
            for index in range(6)
        ),
        encoding="utf-8",
    )
    for word, chosen in [
        (None, list(range(6))),
        *((w, np.flatnonzero(attributes[:, i]).tolist()) for i, w in enumerate(LIST_NAMES)),
    ]:
        end = "" if word is None else f"_{word}"
        tiny.list.with_name(f"list_98pt_test{end}.txt").write_text("".join(plain[i] for i in chosen), encoding="utf-8")
        _write_csv(tiny.csv.with_name(f"face_landmarks_wflw_test{end}.csv"), tiny, chosen)
        _write_json(tiny.json.with_name(f"face_landmarks_wflw_test{end}.json"), tiny, chosen)
    return tiny


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The dataset that all tests share; tests must not change it."""
    return build(tmp_path_factory.mktemp("original") / "wflw")


@pytest.fixture
def tiny(original: Tiny, tmp_path: Path) -> Tiny:
    """A copy of the dataset that a test may change."""
    shutil.copytree(original.root, tmp_path / "wflw")
    return replace(original, root=tmp_path / "wflw")
