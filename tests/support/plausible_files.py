"""Small data sets with plausible faces in every annotation format, for faults to be planted into."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from face_files import cofw_content, spiga_faces, write_cofw68, write_lapa, write_spiga
from numpy.typing import NDArray

from nmebench.datasets.verify.shapes import shape_of
from nmebench.geometry import scheme as schemes

FACES = 12
WIDTH, HEIGHT = 240, 220
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Content:
    """The faces of a data set, before they are written."""

    scheme: str
    landmarks: Array
    """``[N, K, 2]`` image px, as the format counts them."""
    boxed: Array
    """``[N, K, 2]``: the landmarks that boxes are made from; the same unless a fault moves the landmarks alone."""
    names: tuple[str, ...]
    """Stems of the photographs."""

    @property
    def low(self) -> Array:
        return self.boxed.min(axis=1)

    @property
    def high(self) -> Array:
        return self.boxed.max(axis=1)

    @property
    def occluded(self) -> NDArray[np.bool_]:
        return np.arange(self.landmarks.shape[1]) % 5 == np.arange(len(self.names))[:, None] % 5

    def moved(self, landmarks: Array, *, boxes: bool = True) -> Content:
        """Return the same faces with other landmarks, and other boxes unless told."""
        return replace(self, landmarks=landmarks, boxed=landmarks if boxes else self.boxed)

    def chosen(self, rows: list[int]) -> Content:
        """Return some of the faces."""
        names = tuple(self.names[row] for row in rows)
        return replace(self, landmarks=self.landmarks[rows], boxed=self.boxed[rows], names=names)


def plausible(scheme: str, seed: int = 0) -> Content:
    """Faces of one scheme, turned, scaled and a little different from each other."""
    rng = np.random.default_rng(seed)
    shape = shape_of(schemes.load(scheme))
    assert shape is not None
    faces = []
    for _ in range(FACES):
        angle, turn = rng.normal(0, 0.12), rng.uniform(0.8, 1.0)
        rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        size = rng.uniform(0.5, 0.75)
        faces.append((shape * [turn * size, size] @ rotation) + rng.uniform([105, 70], [130, 90]))
    landmarks = (np.array(faces) + rng.normal(0, 0.8, (FACES, *shape.shape))).round(3)
    return Content(scheme, landmarks, landmarks, tuple(f"face_{number:02d}" for number in range(FACES)))


def write_photographs(folder: Path, names: list[str]) -> None:
    """Write one small picture per name."""
    picture = cv2.imencode(".jpg", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))[1].tobytes()
    for name in dict.fromkeys(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture)


def _square(content: Content) -> tuple[Array, Array]:
    low, high = np.floor(content.low), np.ceil(content.high)
    return (low + high) / 2, (high - low).max(axis=1) / 200


def write_list(root: Path, content: Content, *, attributes: bool) -> Path:
    """WFLW's official list, with or without rectangle and attributes."""
    file = root / ("list_98pt_rect_attr_test.txt" if attributes else "list_98pt_test.txt")
    lines = []
    for row, name in enumerate(content.names):
        numbers = [f"{value:.6f}" for value in content.landmarks[row].reshape(-1)]
        if attributes:
            numbers += [str(int(v)) for v in (*np.floor(content.low[row]), *np.ceil(content.high[row]))]
            numbers += ["1" if row % 6 == column else "0" for column in range(6)]
        lines.append(" ".join([*numbers, f"{name}.jpg"]) + "\n")
    if not attributes:
        for column, word in enumerate(("largepose", "expression", "illumination", "makeup", "occlusion", "blur")):
            chosen = [line for row, line in enumerate(lines) if row % 6 == column]
            (root / f"list_98pt_test_{word}.txt").write_text("".join(chosen))
    file.write_text("".join(lines))
    write_photographs(root / "images", [f"{name}.jpg" for name in content.names])
    return file


def csv_rows(content: Content, *, folder: str = "", own_box: float | None = None) -> list[list[str]]:
    """HRNet's csv as cells. ``own_box`` grows the boxes, as AFLW's, which are not the landmarks'."""
    points = content.landmarks.shape[1]
    centre, scale = _square(content)
    header = ["image_name", "scale"] + ([] if own_box is None else ["box_size"]) + ["center_w", "center_h"]
    rows = [[*header, *(f"original_{point}_{axis}" for point in range(points) for axis in "xy")]]
    for row, name in enumerate(content.names):
        side = scale[row] * (own_box or 1)
        middle = centre[row] + (0 if own_box is None else 3.5 + row)
        cells = [f"{folder}{name}.jpg", f"{side:.2f}"] + ([] if own_box is None else [f"{round(side, 2) * 200:.1f}"])
        numbers = [*middle.tolist(), *content.landmarks[row].reshape(-1).tolist()]
        rows.append([*cells, *(repr(number) for number in numbers)])
    return rows


def write_csv(file: Path, rows: list[list[str]]) -> None:
    with file.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def json_table(content: Content, *, ending: str = "jpg", kind: str = "centre") -> dict[str, object]:
    """mmpose's json: with centre and scale, with the landmarks' extent as ``bbox``, or with COFW's box."""
    centre, scale = _square(content)
    annotations = []
    for row in range(len(content.names)):
        v = 2 - content.occluded[row] if kind == "cofw" else np.ones(len(content.landmarks[row]))
        low, size = content.low[row], content.high[row] - content.low[row]
        box = [*(low - 7.3), *(size + 19.6)] if kind == "cofw" else [*low, *size]
        entry = {
            "id": row,
            "image_id": row,
            "keypoints": np.concatenate([content.landmarks[row], v[:, None]], axis=1).reshape(-1).tolist(),
            "num_keypoints": content.landmarks.shape[1],
            "bbox": [float(value) for value in box],
            "iscrowd": 0,
            "area": 1,
            "category_id": 1,
        }
        if kind == "centre":
            entry |= {"center": centre[row].tolist(), "scale": float(scale[row])}
        annotations.append(entry)
    images = [
        {"id": row, "file_name": f"{name}.{ending}", "width": WIDTH, "height": HEIGHT}
        for row, name in enumerate(content.names)
    ]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "face"}]}


def write_points(folder: Path, content: Content) -> None:
    """300-W's ``.pts`` files beside their photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    for row, name in enumerate(content.names):
        body = "".join(f"{x:.3f} {y:.3f}\n" for x, y in content.landmarks[row].tolist())
        text = f"version: 1\nn_points:  {len(content.landmarks[row])}\n{{\n{body}}}\n"
        (folder / f"{name}.pts").write_text(text)
    write_photographs(folder, [f"{name}.jpg" for name in content.names])


def _faces_json(root: Path, content: Content) -> None:
    faces = [
        {
            "image": f"{name}.jpg",
            "landmarks": content.landmarks[row].tolist(),
            "box": [*content.low[row].tolist(), *content.high[row].tolist()],
            "subsets": ["odd"] if row % 2 else [],
        }
        for row, name in enumerate(content.names)
    ]
    (root / "mine.json").write_text(json.dumps({"faces": faces}))
    (root / "mine.toml").write_text(
        'name = "mine"\ntitle = "Mine"\nscheme = "ibug68"\n[files.test]\nfaces-json = "mine.json"\n'
        "[counts.test]\ntest = 12\nodd = 6\n"
    )
    write_photographs(root / "images", [f"{name}.jpg" for name in content.names])


def _npz(root: Path, content: Content) -> None:
    np.savez(root / "truth.npz", landmarks=content.landmarks, images=np.array(content.names))


def _w300_csv(root: Path, content: Content) -> None:
    folders = [f"{'ibug' if row % 3 == 0 else 'helen/testset'}/" for row in range(len(content.names))]
    rows = csv_rows(content)
    for cells, folder in zip(rows[1:], folders, strict=True):
        cells[0] = folder + cells[0]
    write_csv(root / "face_landmarks_300w_valid.csv", rows)
    _w300_lists(root, rows)
    write_photographs(root / "images", [cells[0] for cells in rows[1:]])


def _w300_lists(root: Path, rows: list[list[str]]) -> None:
    for word, start in (("common", "helen"), ("challenge", "ibug")):
        chosen = [cells for cells in rows[1:] if cells[0].startswith(start)]
        write_csv(root / f"face_landmarks_300w_valid_{word}.csv", [rows[0], *chosen])


def _aflw_csv(root: Path, content: Content) -> None:
    rows = csv_rows(content, own_box=1.3)
    write_csv(root / "face_landmarks_aflw_test.csv", rows)
    write_csv(root / "face_landmarks_aflw_test_frontal.csv", rows[:5])
    write_photographs(root / "images", [cells[0] for cells in rows[1:]])


def _json(file: str, **options: str) -> Callable[[Path, Content], None]:
    def write(root: Path, content: Content) -> None:
        (root / file).write_text(json.dumps(json_table(content, **options)))
        write_photographs(root / "images", [f"{name}.jpg" for name in content.names])

    return write


def _spiga(root: Path, content: Content) -> None:
    folders = ["private/indoor" if row % 2 else "private/outdoor" for row in range(len(content.names))]
    names = [f"{folder}/{name}.jpg" for folder, name in zip(folders, content.names, strict=True)]
    faces = spiga_faces(content.landmarks, names)
    for row, face in enumerate(faces):
        face["bbox"] = [*content.low[row].tolist(), *(content.high[row] - content.low[row]).tolist()]
    write_spiga(root / "test.json", faces)
    write_photographs(root / "images", names)


def _points(root: Path, content: Content) -> None:
    half = len(content.names) // 2
    write_points(root / "Test/01_Indoor", content.chosen(list(range(half))))
    write_points(root / "Test/02_Outdoor", content.chosen(list(range(half, len(content.names)))))


def _lapa(root: Path, content: Content) -> None:
    write_lapa(root, content.landmarks, content.names)
    write_photographs(root / "test/images", [f"{name}.jpg" for name in content.names])


def _cofw_boxes(content: Content) -> Array:
    return np.concatenate([content.low - 6.3, content.high - content.low + 19.6], axis=1)


def _cofw(root: Path, content: Content) -> None:
    pictures = [np.full((HEIGHT, WIDTH, 3), 90, np.uint8)] * len(content.names)
    data = cofw_content(content.landmarks + 1, content.occluded, _cofw_boxes(content), pictures)
    (root / "COFW_test_color.mat").write_bytes(data)


def _cofw68(root: Path, content: Content) -> None:
    write_cofw68(root, content.landmarks, content.occluded, np.rint(_cofw_boxes(content)))


@dataclass(frozen=True)
class Format:
    """An annotation format, the scheme of its faces, and how ``nmebench data verify`` names the folder."""

    scheme: str
    spec: str
    """With ``DIR`` for the folder."""
    write: Callable[[Path, Content], None]
    counts: dict[str, int]
    """Faces of the complete data set."""
    second: Callable[[Path, Content], None] | None = None
    """Writes the same faces in another format, for faults that one file alone doesn't show."""
    first_pixel: int = 0
    """1 if this format counts the first pixel as 1 and ``second`` as 0."""


def _second_csv(file: str) -> Callable[[Path, Content], None]:
    return lambda root, content: write_csv(root / file, csv_rows(content))


def _second_json(root: Path, content: Content) -> None:
    named = replace(content, names=tuple(f"{1346 + row:06d}" for row in range(len(content.names))))
    (root / "cofw_test.json").write_text(json.dumps(json_table(named, kind="cofw")))


def _second_lapa(root: Path, content: Content) -> None:
    table = json_table(content, kind="extent")
    for image in table["images"]:  # type: ignore[attr-defined]
        image["file_name"] = f"test/images/{image['file_name']}"
    (root / "lapa_test.json").write_text(json.dumps(table))


def _second_spiga(root: Path, content: Content) -> None:
    names = [f"{1345 + row:05d}.jpg" for row in range(len(content.names))]
    write_spiga(root / "test.json", spiga_faces(content.landmarks, names))


_WFLW = {"test": 12, "pose": 2, "expression": 2, "illumination": 2, "makeup": 2, "occlusion": 2, "blur": 2}
_WFLW_CSV = _second_csv("face_landmarks_wflw_test.csv")

FORMATS: dict[str, Format] = {
    "official-attr (WFLW)": Format(
        "wflw98",
        "wflw:DIR",
        lambda root, content: write_list(root, content, attributes=True) and None,
        _WFLW,
        _WFLW_CSV,
    ),
    "official-list (WFLW)": Format(
        "wflw98",
        "wflw:DIR",
        lambda root, content: write_list(root, content, attributes=False) and None,
        _WFLW,
        _WFLW_CSV,
    ),
    "hrnet-csv (300-W)": Format("ibug68", "300w:DIR", _w300_csv, {"test": 12, "common": 8, "challenge": 4}),
    "hrnet-csv (AFLW)": Format(
        "aflw19", "aflw:DIR", _aflw_csv, {"test": 12, "frontal": 4}, _json("face_landmarks_aflw_test.json")
    ),
    "mmpose-json (300-W private)": Format(
        "ibug68", "300w-private:DIR", _json("face_landmarks_300w_test.json"), {"test": 12}
    ),
    "mmpose-json (LaPa)": Format("lapa106", "lapa:DIR", _json("lapa_test.json", kind="extent"), {"test": 12}),
    ".pts (300-W private)": Format(
        "ibug68",
        "300w-private:DIR",
        _points,
        {"test": 12, "indoor": 6, "outdoor": 6},
        _second_csv("face_landmarks_300w_test.csv"),
    ),
    "spiga-json (300-W private)": Format("ibug68", "300w-private:DIR", _spiga, {"test": 12, "indoor": 6, "outdoor": 6}),
    "cofw-mat (COFW)": Format("cofw29", "cofw:DIR", _cofw, {"test": 12}, _second_json),
    "cofw68-mat (COFW-68)": Format("ibug68", "cofw68:DIR", _cofw68, {"test": 12}, _second_spiga),
    "lapa-txt (LaPa)": Format("lapa106", "lapa:DIR", _lapa, {"test": 12}, _second_lapa),
    "faces-json (own TOML)": Format("ibug68", "benchmark:DIR/mine.toml", _faces_json, {"test": 12, "odd": 6}),
    "npz": Format("ibug68", "landmarks:DIR/truth.npz", _npz, {}),
}
