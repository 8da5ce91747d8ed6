"""Wrong annotation files: read all the same where nothing is in doubt, refused in one line where it is."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import datasets
from nmebench.datasets.readers.row_error import RowError
from nmebench.errors import InputError


def token(place: int, value: str) -> Callable[[str], str]:
    """Changes a token of the third line."""

    def change(text: str) -> str:
        lines = text.split("\n")
        tokens = lines[2].split(" ")
        tokens[place] = value
        lines[2] = " ".join(tokens)
        return "\n".join(lines)

    return change


@pytest.mark.parametrize("file", ["attr", "list", "csv", "json"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(lambda text: text.replace("\n", "\r"), id="CR"),
        pytest.param(lambda text: "\ufeff" + text, id="byte order mark"),
        pytest.param(lambda text: text.rstrip("\n"), id="no last newline"),
        pytest.param(lambda text: text + "\n\n  \n", id="empty lines at the end"),
    ],
)
def test_harmless_in_every_format(tiny: Any, file: str, change: Callable[[str], str]) -> None:
    tiny.edit(getattr(tiny, file), change)
    dataset = datasets.load(f"wflw:{getattr(tiny, file)}")
    assert dataset.images == tiny.images
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)


@pytest.mark.parametrize("file", ["attr", "list"])
@pytest.mark.parametrize(
    ("change", "moved"),
    [
        pytest.param(lambda text: text.replace("\n", "  \t\n"), 0, id="trailing blanks"),
        pytest.param(lambda text: "  " + text.replace("\n", "\n  "), 0, id="leading blanks"),
        pytest.param(lambda text: text.replace(" ", "\t", 150), 0, id="tabs"),
        pytest.param(lambda text: text.replace(" ", "   ", 150), 0, id="several blanks"),
        pytest.param(lambda text: "# x0 y0 ...\n\n" + text, 2, id="comment and empty line first"),
        pytest.param(lambda text: " \x1c\x1c\xa0 \n" + text, 1, id="a line of odd blanks"),  # found by fuzzing
        pytest.param(lambda text: "   # indented comment\n" + text, 1, id="indented comment"),
    ],
)
def test_harmless_in_lists(tiny: Any, file: str, change: Callable[[str], str], moved: int) -> None:
    tiny.edit(getattr(tiny, file), change)
    dataset = datasets.load(f"wflw:{getattr(tiny, file)}")
    assert dataset.images == tiny.images
    assert dataset.lines.tolist() == [1 + moved, 2 + moved, 3 + moved, 4 + moved, 5 + moved, 6 + moved]
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t.replace(" 0--A/b", "0--A/b"), r":2: 206 tokens, expected 207", id="206 tokens"),
        pytest.param(lambda t: "1.0 " + t, r":1: 209 tokens, expected 207", id="a token too many"),
        pytest.param(token(200, "x"), r":3: 207 tokens, .*6 attributes", id="word for an attribute"),
        pytest.param(token(200, "2"), r":3: the attribute pose is '2', not 0 or 1", id="attribute of 2"),
        pytest.param(token(0, "nan"), r":3: landmark 0 x is nan, not a finite number", id="nan"),
        pytest.param(token(3, "1e999"), r":3: landmark 1 y is 1e999, not a finite number", id="overflow"),
        pytest.param(token(3, "-inf"), r":3: landmark 1 y is -inf, not a finite", id="infinite"),
        pytest.param(token(195, "4,5"), r":3: landmark 97 y is '4,5': write a decimal point", id="decimal comma"),
        pytest.param(token(195, "1_0"), r":3: landmark 97 y is '1_0', not a number", id="underscore"),
        pytest.param(token(195, "٣"), r":3: landmark 97 y is '٣', not a number", id="other digits"),
        pytest.param(token(195, "4.x"), r":3: landmark 97 y is '4\.x', not a number", id="not a number"),
        pytest.param(token(195, "2e6"), r":3: landmark 97 y is 2e6, beyond 1e\+06 px", id="too large"),
        pytest.param(token(197, "inf"), r":3: y_min of the rectangle is inf", id="rectangle"),
        pytest.param(token(206, "../x.jpg"), r":3: the image's path '\.\./x\.jpg' leads out", id="parent"),
        pytest.param(token(206, "a/../../x.jpg"), r"leads out", id="parent inside"),
        pytest.param(token(206, "..\\x.jpg"), r"leads out", id="parent with a backslash"),
        pytest.param(token(206, "/etc/passwd"), r"leads out", id="absolute"),
        pytest.param(token(206, "\\\\host\\x"), r"leads out", id="network share"),
        pytest.param(token(206, "C:/x.jpg"), r"leads out", id="drive"),
        pytest.param(
            lambda t: " ".join(reversed(t.split("\n")[4].split(" "))) + "\n" + t, "stands last", id="name in front"
        ),
        pytest.param(lambda t: "", r" is empty", id="empty"),
        pytest.param(lambda t: " \n\t\n", r" is empty", id="blank"),
        pytest.param(lambda t: "# nothing\n", r"no annotation file of a known format", id="only a comment"),
        pytest.param(lambda t: "hello world\n" + t, r"no annotation file of a known format", id="prose first"),
        pytest.param(lambda t: t[:50] + "\0" + t[50:], r"not a text file", id="zero byte"),
    ],
)
def test_refused_lists(tiny: Any, change: Callable[[str], str], message: str) -> None:
    tiny.edit(tiny.attr, change)
    with pytest.raises(InputError, match=message) as caught:
        datasets.load(f"wflw:{tiny.attr}")
    assert "\n" not in str(caught.value)
    assert "list_98pt_rect_attr_test.txt" in str(caught.value)


def test_coincident_eye_corners_name_the_line(tiny: Any) -> None:
    lines = tiny.attr.read_text().split("\n")
    tokens = lines[3].split(" ")
    tokens[120:122] = tokens[144:146]
    lines[3] = " ".join(tokens)
    tiny.attr.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"_test\.txt:4: the outer eye corners \(landmarks 60 and 72\) coincide"):
        datasets.load(f"wflw:{tiny.attr}")
    # Training never divides by that distance.
    tiny.attr.rename(tiny.attr.with_name("list_98pt_rect_attr_train.txt"))
    assert len(datasets.load(f"wflw:{tiny.attr.parent}", split="train")) == 6


def test_utf16_is_named(tiny: Any) -> None:
    tiny.attr.write_bytes(tiny.attr.read_text().encode("utf-16"))
    with pytest.raises(InputError, match="UTF-16 text: save it as UTF-8"):
        datasets.load(f"wflw:{tiny.attr}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda t: t.replace("original_3_x", "o3x"), r":1: 1 columns are missing, .*'original_3_x'", id="column"
        ),
        pytest.param(lambda t: t.replace(",", ";"), r"missing.*separate the cells by commas", id="semicolons"),
        pytest.param(
            lambda t: t.replace("original_3_x", "original_2_x"), r"'original_3_x'", id="a column's name twice"
        ),
        pytest.param(lambda t: t.replace("center_w", "scale"), r":1: the column 'scale' stands twice", id="twice"),
        pytest.param(lambda t: t.replace("b.jpg,", "b.jpg,1,"), r":3: 201 cells, expected 200", id="cell too many"),
        pytest.param(lambda t: t.replace("0--A/b.jpg", ""), r":3: the image's name is missing", id="no name"),
        pytest.param(lambda t: t.split("\n")[0], r"holds no faces", id="header only"),
        pytest.param(lambda t: t.replace("b.jpg", "b" * 140000), r":3: not a csv: field larger", id="endless cell"),
    ],
)
def test_refused_csvs(tiny: Any, change: Callable[[str], str], message: str) -> None:
    tiny.edit(tiny.csv, change)
    with pytest.raises(InputError, match=message) as caught:
        datasets.load(f"wflw:{tiny.csv}")
    assert "\n" not in str(caught.value)


def test_csv_columns_are_read_by_their_names(tiny: Any) -> None:
    """Swapped columns are no trap when the header swaps with them."""
    rows = [line.split(",") for line in tiny.csv.read_text().splitlines()]
    tiny.csv.write_text("\n".join(",".join(reversed(row)) for row in rows))
    dataset = datasets.load(f"wflw:{tiny.csv}", format="hrnet-csv")
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)
    np.testing.assert_array_equal(dataset.centre_scale, tiny.centre_scale)


def test_csv_without_header(tiny: Any) -> None:
    tiny.edit(tiny.csv, lambda text: text.split("\n", 1)[1])
    dataset = datasets.load(f"wflw:{tiny.csv}")
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)
    assert dataset.lines.tolist() == [1, 2, 3, 4, 5, 6]


def test_csv_without_boxes(tiny: Any) -> None:
    rows = [line.split(",") for line in tiny.csv.read_text().splitlines()]
    tiny.csv.write_text("\n".join(",".join([row[0], *row[4:]]) for row in rows))
    dataset = datasets.load(f"wflw:{tiny.csv}")
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)
    assert dataset.centre_scale is None


def annotation(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    """Changes the second annotation."""
    return lambda table: change(table["annotations"][1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(annotation(lambda a: a["keypoints"].pop()), r"293 numbers in 'keypoints'", id="293 numbers"),
        pytest.param(annotation(lambda a: a.pop("keypoints")), r"no numbers in 'keypoints'", id="no keypoints"),
        pytest.param(annotation(lambda a: a["keypoints"].__setitem__(4, None)), r"landmark 1 y is None", id="null"),
        pytest.param(annotation(lambda a: a["keypoints"].__setitem__(3, True)), r"landmark 1 x is True", id="true"),
        pytest.param(annotation(lambda a: a["keypoints"].__setitem__(3, float("nan"))), r"is nan, not a", id="NaN"),
        pytest.param(annotation(lambda a: a["keypoints"].__setitem__(3, 10**400)), r"not a finite", id="huge"),
        pytest.param(annotation(lambda a: a.update(image_id=1)), r"image_id 1 is not among", id="unknown image"),
        pytest.param(annotation(lambda a: a.update(image_id=[7])), r"image_id \[7\] is not among", id="id a list"),
        pytest.param(annotation(lambda a: a.update(center=4)), r"'center' is not a list of two", id="centre"),
        pytest.param(annotation(lambda a: a.update(scale="large")), r"scale is 'large', not a number", id="scale"),
        pytest.param(annotation(lambda a: a.pop("scale")), r":2: the face has no centre and scale", id="no scale"),
    ],
)
def test_refused_annotations_of_a_json(tiny: Any, change: Callable[[Any], object], message: str) -> None:
    table = json.loads(tiny.json.read_text())
    change(table)
    tiny.json.write_text(json.dumps(table))
    with pytest.raises(InputError, match=message) as caught:
        datasets.load(f"wflw:{tiny.json}")
    assert "annotation 2" in str(caught.value) or ":2:" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", r":1: not a json: .*column 2", id="cut off"),
        pytest.param("[1, 2]", r"needs the lists 'images' and 'annotations'", id="a list"),
        pytest.param('{"images": {}, "annotations": []}', r"needs the lists", id="no list"),
        pytest.param('{"images": [], "annotations": []}', r"holds no faces", id="no faces"),
        pytest.param('{"images": [1], "annotations": []}', r"image 1 has no whole number", id="image no object"),
        pytest.param('{"images": [{"id": 1}], "annotations": []}', r"image 1: the image's name is", id="no name"),
        pytest.param(
            '{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}], "annotations": []}',
            r"image 2: the id 1 stands twice",
            id="image id twice",
        ),
        pytest.param('{"images": [], "annotations": [3]}', r"annotation 1 is not an object", id="no object"),
        pytest.param("[" * 100000, r"not a json", id="nested without end"),
        pytest.param('{"images": [' + "9" * 5000 + "]}", r"not a json", id="a number without end"),
    ],
)
def test_refused_jsons(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "faces.json"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        datasets.load(f"wflw:{file}")
    assert "\n" not in str(caught.value)


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
def test_names_of_any_bytes_are_found_on_disk(tiny: Any, name: bytes, formats: tuple[str, ...]) -> None:
    folder = tiny.root / "WFLW_images"
    (folder / "0--A/b.jpg").rename(folder / os.fsdecode(name))
    for kind in formats:
        file = getattr(tiny, kind)
        file.write_bytes(file.read_bytes().replace(b"0--A/b.jpg", name))
        dataset = datasets.load(f"wflw:{file}")
        assert dataset.image_root is not None
        assert (dataset.image_root / dataset.images[1]).is_file()


def test_csv_with_a_newline_in_a_quoted_name(tiny: Any) -> None:
    tiny.edit(tiny.csv, lambda text: text.replace("0--A/b.jpg", '"0--A/b,\n""c"".jpg"'))
    dataset = datasets.load(f"wflw:{tiny.csv}")
    assert dataset.images[1] == '0--A/b,\n"c".jpg'
    assert dataset.lines.tolist() == [2, 3, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param("wflv:x", r"unknown dataset 'wflv'.*did you mean 'wflw'\?", id="near match"),
        pytest.param("wflw", r"write wflw:PATH", id="no path"),
        pytest.param("wflw:", r"write wflw:PATH", id="empty path"),
        pytest.param("synthface:", r"write synthface:PATH", id="synthface with a colon only"),
        pytest.param("wflw:/no/such/folder", r"/no/such/folder does not exist", id="absent"),
        pytest.param("wflw-geometry:/no/such/folder", r"does not exist", id="absent geometry"),
    ],
)
def test_refused_specs(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        datasets.load(spec)


def test_refused_choices(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown format 'csv'"):
        datasets.load(f"wflw:{tiny.root}", format="csv")
    with pytest.raises(InputError, match=r"unknown split 'val'"):
        datasets.load(f"wflw:{tiny.root}", split="val")
    with pytest.raises(InputError, match="one format and the split test only"):
        datasets.load(f"wflw-geometry:{tmp_path}", split="train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="does not hold a WFLW annotation file: looked for list_98pt_rect_attr_test"):
        datasets.load(f"wflw:{tmp_path / 'empty'}")
    with pytest.raises(InputError, match=rf"write NAME:PATH, such as wflw:{tmp_path}"):
        datasets.load(str(tmp_path))
    with pytest.raises(InputError, match="name its folder"):
        datasets.load("synthface", split="train")
    tiny.json.unlink()
    with pytest.raises(InputError, match=r"does not hold face_landmarks_wflw_test\.json"):
        datasets.load(f"wflw:{tiny.root}", format="mmpose-json")


def test_two_lists_of_one_name_must_be_told_apart(tiny: Any) -> None:
    other = tiny.attr.parent.with_name("copy") / tiny.attr.name
    other.parent.mkdir()
    other.write_bytes(tiny.attr.read_bytes())
    with pytest.raises(InputError, match=r"holds list_98pt_rect_attr_test\.txt twice"):
        datasets.load(f"wflw:{tiny.root}")


def test_describe() -> None:
    assert datasets.names() == ("wflw", "wflw-geometry", "landmarks", "synthface")
    assert datasets.describe("wflw").startswith("wflw:PATH")
    with pytest.raises(InputError, match="unknown dataset"):
        datasets.describe("300w")


def test_a_row_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(RowError("number", "a:1: no").at(1)))
    assert (error.code, str(error), error.line) == ("number", "a:1: no", 1)
