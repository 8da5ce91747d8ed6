"""WFLW in its four formats: faces, subsets, files and notes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import datasets
from nmebench.datasets.benchmark import load
from nmebench.errors import InputError
from nmebench.protocol import ATTRIBUTES

OWN_FORMATS = [kind for kind in load("wflw").files["test"] if kind != "spiga-json"]
"""The formats of the fixture and of the real sample; tests/datasets/readers/test_spiga_json.py has the other."""

COMPLETE = {
    "test": 2500,
    "pose": 326,
    "expression": 314,
    "illumination": 698,
    "makeup": 206,
    "occlusion": 736,
    "blur": 773,
}


@pytest.mark.parametrize("place", ["folder", "file", "file's folder"])
@pytest.mark.parametrize("format_", OWN_FORMATS)
def test_every_format_gives_the_same_faces(tiny: Any, format_: str, place: str) -> None:
    file = tiny.files[format_]
    path = {"folder": tiny.root, "file": file, "file's folder": file.parent}[place]
    dataset = datasets.load(f"wflw:{path}", format=format_ if place == "folder" else None)
    assert dataset.format == format_
    assert dataset.images == tiny.images
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)
    assert list(dataset.subsets) == list(COMPLETE)
    for column, subset in enumerate(ATTRIBUTES):
        np.testing.assert_array_equal(dataset.subsets[subset], tiny.attributes[:, column])
    assert dataset.subsets["test"].all()
    assert dataset.image_root == tiny.root / "WFLW_images"
    assert dataset.expected == COMPLETE
    assert dataset.describe() == "6 of 2500 faces"
    assert not dataset.complete


@pytest.mark.parametrize(
    ("format_", "rect", "centre_scale", "lines"),
    [
        pytest.param("official-attr", True, False, [1, 2, 3, 4, 5, 6], id="official-attr"),
        pytest.param("official-list", False, False, [1, 2, 3, 4, 5, 6], id="official-list"),
        pytest.param("hrnet-csv", False, True, [2, 3, 4, 5, 6, 7], id="hrnet-csv"),
        pytest.param("mmpose-json", False, True, [1, 2, 3, 4, 5, 6], id="mmpose-json"),
    ],
)
def test_boxes_and_lines_of_each_format(
    tiny: Any, format_: str, rect: bool, centre_scale: bool, lines: list[int]
) -> None:
    dataset = datasets.load(f"wflw:{tiny.root}", format=format_)
    assert dataset.lines.tolist() == lines
    if rect:
        np.testing.assert_array_equal(dataset.rect, tiny.rect)
    else:
        assert dataset.rect is None
    if centre_scale:
        np.testing.assert_array_equal(dataset.centre_scale, tiny.centre_scale)
    else:
        assert dataset.centre_scale is None


def test_faces_of_one_photograph_are_distinguished(tiny: Any) -> None:
    """Faces 2 and 3 share a photograph; only 2 is occluded, only 3 wears make-up."""
    dataset = datasets.load(f"wflw:{tiny.list}")
    assert dataset.images[2] == dataset.images[3]
    assert dataset.subsets["occlusion"].tolist() == [False, False, True, False, False, True]
    assert dataset.subsets["makeup"].tolist() == [False, False, False, True, False, False]


def test_repeated_face_is_matched_as_often_as_listed(tiny: Any) -> None:
    tiny.edit(tiny.list, lambda text: text + text.splitlines(keepends=True)[0])
    dataset = datasets.load(f"wflw:{tiny.list}")
    assert dataset.subsets["pose"].tolist() == [True, False, False, True, False, False, False]
    assert "lines that repeat a face: 1; each counts" in dataset.notes[0]


def test_folder_prefers_list_with_attributes_and_notes_the_others(tiny: Any) -> None:
    dataset = datasets.load(f"wflw:{tiny.root}")
    assert dataset.format == "official-attr"
    assert "other formats in the folder: hrnet-csv, mmpose-json, official-list" in dataset.notes[0]


def test_files_are_hashed(tiny: Any) -> None:
    dataset = datasets.load(f"wflw:{tiny.root}", format="hrnet-csv")
    assert [file.name for file in dataset.files] == [
        "hrnet/face_landmarks_wflw_test.csv",
        "hrnet/face_landmarks_wflw_test_largepose.csv",
        *(f"hrnet/face_landmarks_wflw_test_{word}.csv" for word in list(COMPLETE)[2:]),
    ]
    data = tiny.csv.read_bytes()
    assert dataset.files[0].sha256 == hashlib.sha256(data).hexdigest()
    assert dataset.files[0].bytes == len(data)


def test_missing_subset_file_is_noted(tiny: Any) -> None:
    tiny.csv.with_name("face_landmarks_wflw_test_blur.csv").unlink()
    dataset = datasets.load(f"wflw:{tiny.csv}")
    assert "blur" not in dataset.subsets
    assert "pose" in dataset.subsets
    assert dataset.notes == ("face_landmarks_wflw_test_blur.csv is missing: there is no subset blur",)


def test_subset_file_of_other_faces_is_noted(tiny: Any) -> None:
    other = tiny.list.with_name("list_98pt_test_blur.txt")
    other.write_text(other.read_text().replace("/", "/other_"), encoding="utf-8")
    dataset = datasets.load(f"wflw:{tiny.list}")
    assert "blur" not in dataset.subsets
    assert "names none of these faces" in dataset.notes[0]


def test_shortened_list_keeps_its_part_of_the_subsets(tiny: Any) -> None:
    tiny.edit(tiny.list, lambda text: "".join(text.splitlines(keepends=True)[:3]))
    dataset = datasets.load(f"wflw:{tiny.list}")
    assert dataset.subsets["pose"].tolist() == [True, False, False]
    assert "list_98pt_test_largepose.txt: 1 of its 2 faces are not in list_98pt_test.txt" in dataset.notes


def test_training_list(tiny: Any) -> None:
    train = tiny.attr.with_name("list_98pt_rect_attr_train.txt")
    train.write_text("".join(tiny.attr.read_text().splitlines(keepends=True)[:4]), encoding="utf-8")
    dataset = datasets.load(f"wflw:{tiny.root}", split="train")
    assert len(dataset) == 4
    assert next(iter(dataset.subsets)) == "train"
    assert dataset.describe() == "4 of 7500 faces"


def test_missing_photographs_are_noted(tiny: Any, tmp_path: Path) -> None:
    alone = tmp_path / "alone" / "list.txt"
    alone.parent.mkdir()
    alone.write_bytes(tiny.attr.read_bytes())
    dataset = datasets.load(f"wflw:{alone}")
    assert dataset.image_root is None
    assert "no folder of photographs found: geometry only" in dataset.notes


def test_coincident_eye_corners_are_refused_with_their_line(tiny: Any) -> None:
    lines = tiny.attr.read_text().split("\n")
    tokens = lines[3].split(" ")
    tokens[120:122] = tokens[144:146]
    lines[3] = " ".join(tokens)
    tiny.attr.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"_test\.txt:4: the inter-ocular length \(between landmarks 60 and 72\) is 0"):
        datasets.load(f"wflw:{tiny.attr}")
    # Training never divides by that distance.
    tiny.attr.rename(tiny.attr.with_name("list_98pt_rect_attr_train.txt"))
    assert len(datasets.load(f"wflw:{tiny.attr.parent}", split="train")) == 6


@pytest.mark.skipif(sys.platform == "win32", reason="these names are not possible on Windows")
@pytest.mark.parametrize(
    ("name", "formats"),
    [
        pytest.param(b"0--A/caf\xe9.jpg", ("attr", "list", "csv"), id="not UTF-8"),
        pytest.param("0--A/café.jpg".encode(), ("attr", "list", "csv", "json"), id="UTF-8"),
        pytest.param(b'0--A/it\'s "it".jpg', ("attr", "list"), id="quotes and a blank"),
        pytest.param(b"0--A/a, b.jpg", ("attr", "list", "json"), id="comma"),
    ],
)
def test_image_names_of_any_bytes_are_found_on_disk(tiny: Any, name: bytes, formats: tuple[str, ...]) -> None:
    folder = tiny.root / "WFLW_images"
    (folder / "0--A/b.jpg").rename(folder / os.fsdecode(name))
    for kind in formats:
        file = getattr(tiny, kind)
        file.write_bytes(file.read_bytes().replace(b"0--A/b.jpg", name))
        dataset = datasets.load(f"wflw:{file}")
        assert dataset.image_root is not None
        assert (dataset.image_root / dataset.images[1]).is_file()


def test_complete_set_is_described_as_complete(tiny: Any) -> None:
    """2500 lines with WFLW's counts: complete, and described without ``of``."""
    line = tiny.attr.read_text().splitlines()[0].split()
    counts = [COMPLETE[subset] for subset in ATTRIBUTES]
    lines = []
    for face in range(2500):
        flags = [str(int(face < count)) for count in counts]
        lines.append(" ".join([f"{float(line[0]) + face / 100:.6f}", *line[1:200], *flags, "0--A/a 1.jpg"]))
    tiny.attr.write_text("\n".join(lines), encoding="utf-8")
    dataset = datasets.load(f"wflw:{tiny.attr}")
    assert dataset.complete
    assert dataset.describe() == "2500 faces"
    assert dataset.notes == ()
    tiny.edit(tiny.attr, lambda text: text.replace(" 1 1 1 1 1 1 0--A", " 1 1 1 1 1 0 0--A", 1))
    other = datasets.load(f"wflw:{tiny.attr}")
    assert not other.complete
    assert other.notes == ("blur has 772 faces, the complete set 773",)
    assert other.describe() == "2500 faces, with other counts than the complete set in blur"


def test_complete_set_without_some_subsets_names_them(tiny: Any) -> None:
    line = tiny.list.read_text().splitlines()[0].split(" ", 1)
    tiny.list.write_text("\n".join(f"{40 + face / 1000:.6f} {line[1]}" for face in range(2500)))
    for word in ("largepose", "expression", "illumination", "makeup", "occlusion", "blur"):
        tiny.list.with_name(f"list_98pt_test_{word}.txt").unlink()
    dataset = datasets.load(f"wflw:{tiny.list}")
    assert not dataset.complete
    assert dataset.describe().startswith("2500 faces, without the subsets pose, expression")


def test_real_sample_is_equal_in_all_formats(shared: Path) -> None:
    loaded = {kind: datasets.load(f"wflw:{shared / 'wflw-sample'}", format=kind) for kind in OWN_FORMATS}
    first = loaded["official-attr"]
    assert first.describe() == "143 of 2500 faces"
    counts = {name: int(mask.sum()) for name, mask in first.subsets.items()}
    assert counts == {
        "test": 143,
        "pose": 24,
        "expression": 18,
        "illumination": 39,
        "makeup": 15,
        "occlusion": 44,
        "blur": 50,
    }
    for dataset in loaded.values():
        assert dataset.images == first.images
        # The json keeps more decimals than the six of the lists and the csv.
        np.testing.assert_allclose(dataset.landmarks, first.landmarks, atol=6e-7, rtol=0)
        for name, mask in first.subsets.items():
            np.testing.assert_array_equal(dataset.subsets[name], mask)
        assert dataset.image_root is not None
        assert all((dataset.image_root / image).is_file() for image in dataset.images)
    np.testing.assert_array_equal(loaded["hrnet-csv"].centre_scale, loaded["mmpose-json"].centre_scale)


@pytest.mark.parametrize("file", ["attr", "list", "csv", "json"])
def test_backslashes_in_image_names_are_read_as_slashes(tiny: Any, file: str) -> None:
    for path in (getattr(tiny, file), *getattr(tiny, file).parent.glob("*_blur.*")):
        tiny.edit(path, lambda text: re.sub(r"(\d--[ABC])/", r"\1\\\\" if file == "json" else r"\1\\", text))
    dataset = datasets.load(f"wflw:{getattr(tiny, file)}")
    assert dataset.images == tiny.images
    assert dataset.image_root == tiny.root / "WFLW_images"
    assert {"blur", "pose"} <= set(dataset.subsets)
    assert any("6 image names have backslashes, which were read as slashes" in note for note in dataset.notes)


def test_literal_backslash_in_a_file_name_is_kept(tiny: Any) -> None:
    folder = tiny.root / "WFLW_images"
    (folder / "1--B/c.jpg").rename(folder / "1--B\\c.jpg")
    tiny.edit(tiny.attr, lambda text: text.replace("1--B/c.jpg", "1--B\\c.jpg"))
    dataset = datasets.load(f"wflw:{tiny.attr}")
    assert dataset.images[2] == "1--B\\c.jpg"
    assert not any("backslashes" in note for note in dataset.notes)


def test_backslashes_are_read_as_slashes_without_photographs(tiny: Any) -> None:
    shutil.rmtree(tiny.root / "WFLW_images")
    tiny.edit(tiny.attr, lambda text: text.replace("/", "\\"))
    assert datasets.load(f"wflw:{tiny.attr}").images == tiny.images


@pytest.mark.parametrize("value", ["0", "-1", "1.0"])
def test_landmarks_that_are_not_labelled_are_refused(tiny: Any, value: str) -> None:
    tiny.edit(tiny.list, lambda text: f"{value} {value} {value} {value} " + text.split(" ", 4)[4])
    position = f"({float(value):g}, {float(value):g})"
    with pytest.raises(InputError) as refused:
        datasets.load(f"wflw:{tiny.list}")
    assert str(refused.value) == (
        f"{tiny.list}:1: landmark 0 is exactly {position}, which means not labelled (2 of 98 landmarks): it would be "
        "scored as truth; label them or remove the face"
    )


def test_a_single_landmark_at_the_origin_is_refused_where_the_face_is_elsewhere(tiny: Any) -> None:
    tiny.edit(tiny.list, lambda text: "0 0 " + text.split(" ", 2)[2])
    with pytest.raises(InputError, match=r"landmark 0 is exactly \(0, 0\), which means not labelled \(1 of 98"):
        datasets.load(f"wflw:{tiny.list}")


def test_pipes_beside_the_lists_are_not_opened(tiny: Any) -> None:
    """Planted fault: a named pipe called like a list waited for a writer without end."""
    for name in ("list_98pt_test.txt", "other.csv"):
        (tiny.root / name).unlink(missing_ok=True)
        os.mkfifo(tiny.root / name)
    assert len(datasets.load(f"wflw:{tiny.root}")) == 6
    folder = tiny.root / "empty"
    folder.mkdir()
    os.mkfifo(folder / "faces.txt")
    with pytest.raises(InputError, match="does not hold a WFLW annotation file"):
        datasets.load(f"wflw:{folder}")
