"""All four formats give the same faces."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import datasets
from nmebench.errors import InputError
from nmebench.protocol import ATTRIBUTES

FORMATS = ("official-attr", "official-list", "hrnet-csv", "mmpose-json")
WHOLE = {
    "test": 2500,
    "pose": 326,
    "expression": 314,
    "illumination": 698,
    "makeup": 206,
    "occlusion": 736,
    "blur": 773,
}


@pytest.mark.parametrize("place", ["folder", "file", "file's folder"])
@pytest.mark.parametrize("format_", FORMATS)
def test_each_format_gives_the_faces(tiny: Any, format_: str, place: str) -> None:
    file = tiny.files[format_]
    path = {"folder": tiny.root, "file": file, "file's folder": file.parent}[place]
    dataset = datasets.load(f"wflw:{path}", format=format_ if place == "folder" else None)
    assert dataset.format == format_
    assert dataset.images == tiny.images
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)
    assert list(dataset.subsets) == list(WHOLE)
    for column, subset in enumerate(ATTRIBUTES):
        np.testing.assert_array_equal(dataset.subsets[subset], tiny.attributes[:, column])
    assert dataset.subsets["test"].all()
    assert dataset.image_root == tiny.root / "WFLW_images"
    assert dataset.expected == WHOLE
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
def test_boxes_and_lines_that_a_format_carries(
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


def test_faces_that_share_an_image_are_told_apart(tiny: Any) -> None:
    """Faces 2 and 3 stand in one photograph; only 2 is occluded, only 3 wears make-up."""
    dataset = datasets.load(f"wflw:{tiny.list}")
    assert dataset.images[2] == dataset.images[3]
    assert dataset.subsets["occlusion"].tolist() == [False, False, True, False, False, True]
    assert dataset.subsets["makeup"].tolist() == [False, False, False, True, False, False]


def test_a_face_that_stands_twice_is_matched_as_often_as_it_is_listed(tiny: Any) -> None:
    tiny.edit(tiny.list, lambda text: text + text.splitlines(keepends=True)[0])
    dataset = datasets.load(f"wflw:{tiny.list}")
    assert dataset.subsets["pose"].tolist() == [True, False, False, True, False, False, False]
    assert "lines that repeat a face: 1; each counts" in dataset.notes[0]


def test_the_folder_prefers_the_list_with_attributes_and_says_so(tiny: Any) -> None:
    dataset = datasets.load(f"wflw:{tiny.root}")
    assert dataset.format == "official-attr"
    assert "hrnet-csv, mmpose-json, official-list lie beside it" in dataset.notes[0]


def test_files_are_hashed(tiny: Any) -> None:
    dataset = datasets.load(f"wflw:{tiny.root}", format="hrnet-csv")
    assert [file.name for file in dataset.files] == [
        "hrnet/face_landmarks_wflw_test.csv",
        "hrnet/face_landmarks_wflw_test_largepose.csv",
        *(f"hrnet/face_landmarks_wflw_test_{word}.csv" for word in list(WHOLE)[2:]),
    ]
    data = tiny.csv.read_bytes()
    assert dataset.files[0].sha256 == hashlib.sha256(data).hexdigest()
    assert dataset.files[0].bytes == len(data)


def test_a_missing_subset_file_is_a_note_and_no_subset(tiny: Any) -> None:
    tiny.csv.with_name("face_landmarks_wflw_test_blur.csv").unlink()
    dataset = datasets.load(f"wflw:{tiny.csv}")
    assert "blur" not in dataset.subsets
    assert "pose" in dataset.subsets
    assert dataset.notes == ("face_landmarks_wflw_test_blur.csv is missing: there is no subset blur",)


def test_a_subset_file_of_other_faces_is_a_note(tiny: Any) -> None:
    other = tiny.list.with_name("list_98pt_test_blur.txt")
    other.write_text(other.read_text().replace("/", "/other_"), encoding="utf-8")
    dataset = datasets.load(f"wflw:{tiny.list}")
    assert "blur" not in dataset.subsets
    assert "names none of these faces" in dataset.notes[0]


def test_a_shortened_list_keeps_its_share_of_the_subsets(tiny: Any) -> None:
    tiny.edit(tiny.list, lambda text: "".join(text.splitlines(keepends=True)[:3]))
    dataset = datasets.load(f"wflw:{tiny.list}")
    assert dataset.subsets["pose"].tolist() == [True, False, False]
    assert "list_98pt_test_largepose.txt: 1 of its 2 faces are not in list_98pt_test.txt" in dataset.notes


def test_limit_takes_the_first_faces(tiny: Any) -> None:
    dataset = datasets.load(f"wflw:{tiny.root}", limit=2)
    assert len(dataset) == 2
    assert dataset.landmarks.shape == (2, 98, 2)
    assert dataset.rect is not None
    assert dataset.rect.shape == (2, 4)
    assert {name: mask.tolist() for name, mask in dataset.subsets.items()}["pose"] == [True, False]
    assert dataset.limited(99) is dataset
    with pytest.raises(InputError, match="limit of 0"):
        dataset.limited(0)


def test_the_training_list(tiny: Any) -> None:
    train = tiny.attr.with_name("list_98pt_rect_attr_train.txt")
    train.write_text("".join(tiny.attr.read_text().splitlines(keepends=True)[:4]), encoding="utf-8")
    dataset = datasets.load(f"wflw:{tiny.root}", split="train")
    assert len(dataset) == 4
    assert next(iter(dataset.subsets)) == "train"
    assert dataset.describe() == "4 of 7500 faces"


def test_a_test_list_never_passes_for_a_training_list(tiny: Any, tmp_path: Path) -> None:
    for name in (tiny.attr.name, "my_test.txt"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_bytes(tiny.attr.read_bytes())
        assert len(datasets.load(f"wflw:{folder}")) == 6
        with pytest.raises(InputError, match="does not hold a WFLW annotation file"):
            datasets.load(f"wflw:{folder}", split="train")


def test_no_photographs_means_geometry_only(tiny: Any, tmp_path: Path) -> None:
    alone = tmp_path / "alone" / "list.txt"
    alone.parent.mkdir()
    alone.write_bytes(tiny.attr.read_bytes())
    dataset = datasets.load(f"wflw:{alone}")
    assert dataset.image_root is None
    assert "no folder of photographs found: geometry only" in dataset.notes


def test_images_beside_the_csv_as_hrnet_and_mmpose_lay_them_out(tiny: Any) -> None:
    (tiny.root / "WFLW_images").rename(tiny.csv.parent / "images")
    assert datasets.load(f"wflw:{tiny.csv}").image_root == tiny.csv.parent / "images"


def test_a_single_list_of_any_name_is_found_in_its_folder(tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "my faces.txt").write_bytes(tiny.attr.read_bytes())
    (folder / "readme.txt").write_text("nothing of interest\n")
    assert len(datasets.load(f"wflw:{folder}")) == 6


def test_a_dataset_survives_pickling(tiny: Any) -> None:
    """Worker processes get it that way."""
    dataset = datasets.load(f"wflw:{tiny.root}")
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy.landmarks, dataset.landmarks)
    assert copy.scheme.groups == dataset.scheme.groups


def test_synthface_reads_a_folder_in_wflws_layout(tiny: Any) -> None:
    dataset = datasets.load(f"synthface:{tiny.root}")
    assert (dataset.name, dataset.expected["test"], dataset.expected["blur"]) == ("synthface", 500, 155)
    assert dataset.describe() == "6 of 500 faces"


def test_the_whole_set_is_complete(tiny: Any) -> None:
    """2500 lines with WFLW's counts: complete, and described without ``of``."""
    line = tiny.attr.read_text().splitlines()[0].split()
    counts = [WHOLE[subset] for subset in ATTRIBUTES]
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
    assert other.notes == ("blur has 772 faces, the whole set 773",)
    assert other.describe() == "2500 faces, with other counts than the whole set in blur"


def test_the_real_sample_is_the_same_in_all_formats(shared: Path) -> None:
    loaded = {kind: datasets.load(f"wflw:{shared / 'wflw-sample'}", format=kind) for kind in FORMATS}
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


def test_the_real_geometry(shared: Path) -> None:
    dataset = datasets.load(f"wflw-geometry:{shared / 'wflw-geometry'}")
    assert dataset.describe() == "2168 of 2500 faces"
    assert dataset.image_root is None
    # Every face of the six subsets is known; the faces without landmarks are in none.
    assert {name: int(mask.sum()) for name, mask in dataset.subsets.items()} == {**WHOLE, "test": 2168}
    assert np.isfinite(dataset.landmarks).all()
    assert dataset.centre_scale is not None
