"""The readers under arbitrary input, and what bounds the search for files."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nmebench.synthface
from nmebench import datasets
from nmebench.datasets import locate, wflw
from nmebench.datasets.locate import FORMATS, detect
from nmebench.datasets.readers import text
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import AnnotatedFaces, gather
from nmebench.datasets.verify.verify_wflw import verify
from nmebench.errors import InputError

POINTS = 3
COORDINATE = st.floats(-1e6, 1e6, allow_nan=False)
NAME = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0\r\n"), min_size=1, max_size=12).map(
    lambda name: "nm" + name.strip() + ".jpg"  # two letters: "n:" would be a drive, which is refused
)
FACE = st.tuples(
    NAME.filter(lambda name: ".." not in name and not name.split()[0].replace(".", "").isdigit()),
    st.lists(COORDINATE, min_size=2 * POINTS, max_size=2 * POINTS),
    st.lists(COORDINATE, min_size=4, max_size=4),
    st.lists(st.booleans(), min_size=6, max_size=6),
)


def written(kind: str, faces: list[tuple[str, list[float], list[float], list[bool]]]) -> str:
    """The faces as a file of a format."""
    if kind.startswith("official"):
        lines = []
        for name, points, rect, flags in faces:
            tail = [*map(repr, rect), *(str(int(flag)) for flag in flags)] if kind == "official-attr" else []
            lines.append(" ".join([*map(repr, points), *tail, name]))
        return "\n".join(lines)
    if kind == "hrnet-csv":
        stream = io.StringIO()
        header = ["image_name", "scale", "center_w", "center_h"]
        header += [f"original_{index}_{axis}" for index in range(POINTS) for axis in "xy"]
        csv.writer(stream).writerows([header, *([name, *rect[:3], *points] for name, points, rect, _ in faces)])
        return stream.getvalue()
    return json.dumps(
        {
            "images": [{"id": index, "file_name": face[0]} for index, face in enumerate(faces)],
            "annotations": [
                {
                    "image_id": index,
                    "keypoints": [value for x, y in zip(p[::2], p[1::2], strict=True) for value in (x, y, 1)],
                    "center": rect[1:3],
                    "scale": rect[0],
                }
                for index, (_, p, rect, _) in enumerate(faces)
            ],
        }
    )


def read(kind: str, content: str) -> AnnotatedFaces:
    return gather(wflw.entries(content, "file", kind, POINTS), "file", POINTS)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=40, deadline=None)
@given(faces=st.lists(FACE, min_size=1, max_size=5))
def test_what_is_written_is_read(kind: str, faces: list[Any]) -> None:
    found = read(kind, written(kind, faces))
    assert found.images == tuple(face[0] for face in faces)
    np.testing.assert_array_equal(found.landmarks.reshape(len(faces), -1), [face[1] for face in faces])
    if kind == "official-attr":
        np.testing.assert_array_equal(found.rect, [face[2] for face in faces])
        np.testing.assert_array_equal(found.attributes, [face[3] for face in faces])
    elif kind != "official-list":
        np.testing.assert_array_equal(found.centre_scale, [[*face[2][1:3], face[2][0]] for face in faces])


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=100, deadline=None)
@given(
    faces=st.lists(FACE, min_size=1, max_size=3),
    at=st.floats(0, 1),
    length=st.integers(0, 9),
    put=st.text(max_size=9) | st.sampled_from(["nan", "\n", ",", '"', "#", "\ufeff", "{", "1e999", "0x1", "\x1c"]),
)
def test_damage_gives_faces_or_one_line(kind: str, faces: list[Any], at: float, length: int, put: str) -> None:
    whole = written(kind, faces)
    start = int(at * len(whole))
    damaged = whole[:start] + put + whole[start + length :]
    messages: list[str] = []
    try:
        rows = list(wflw.entries(damaged, "file", kind, POINTS))
        messages = [str(row) for row in rows if isinstance(row, RowError)]
        faces_read = read(kind, damaged)
    except InputError as error:
        messages.append(str(error))
    else:
        assert np.isfinite(faces_read.landmarks).all()
        assert not any(Path(image).is_absolute() or ".." in Path(image).parts for image in faces_read.images)
    assert all(message.startswith("file") and message.isprintable() for message in messages), messages


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_any_text_has_a_format_or_none(content: str) -> None:
    message = "file"
    kind = "official-list"
    try:
        kind = detect(content, "file")
    except InputError as error:
        message = str(error)
    assert kind in FORMATS
    assert message.startswith("file")


@settings(max_examples=200, deadline=None)
@given(name=st.text(max_size=30))
def test_no_image_name_leads_out_of_the_folder(name: str) -> None:
    accepted = "inside"
    message = "x"
    try:
        accepted = text.image_name(name, "file:1")
    except InputError as error:
        message = str(error)
    assert os.path.normpath(os.path.join("root", accepted)).startswith("root")  # noqa: PTH118
    assert message.isprintable()


def test_folders_that_cannot_be_searched(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "_ENTRIES", 5)
    with pytest.raises(InputError, match="holds too many files to search: name the annotation file"):
        datasets.load(f"wflw:{tiny.root}")

    def refused(folder: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(locate.os, "scandir", refused)
    with pytest.raises(InputError, match="can't be listed: Permission denied"):
        datasets.load(f"wflw:{tiny.root}")


def test_photographs_are_not_searched_for_lists(tiny: Any) -> None:
    (tiny.root / "WFLW_images" / tiny.attr.name).write_bytes(tiny.attr.read_bytes())
    assert len(datasets.load(f"wflw:{tiny.root}")) == 6


def test_files_that_cannot_be_read(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is neither a folder nor an annotation file"):
        locate.annotation_file(tiny.root / "nothing", split="test", format=None)
    with pytest.raises(InputError, match="is missing"):
        text.read_text(tiny.root / "nothing", tiny.root)
    with pytest.raises(InputError, match="can't be read: Is a directory"):
        text.read_text(tiny.root, tiny.root)
    monkeypatch.setattr(text, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="up to 10 are read"):
        datasets.load(f"wflw:{tiny.attr}")


def test_a_broken_subset_list_is_a_finding_and_an_error(tiny: Any) -> None:
    sibling = tiny.json.with_name("face_landmarks_wflw_test_blur.json")
    sibling.write_text("{")
    with pytest.raises(InputError, match=r"face_landmarks_wflw_test_blur\.json:1: not a json"):
        datasets.load(f"wflw:{tiny.json}")
    assert ("unreadable", "mmpose/face_landmarks_wflw_test_blur.json") in [
        (finding.code, finding.file) for finding in verify(tiny.root).findings
    ]
    table = json.loads(tiny.json.read_text())
    table["annotations"] = [{**entry, "keypoints": []} for entry in table["annotations"]]
    sibling.write_text(json.dumps(table))
    assert sum(finding.code == "columns" for finding in verify(tiny.root).findings) == 6


def test_a_name_that_is_not_utf8_is_a_finding(tiny: Any) -> None:
    (tiny.root / "WFLW_images/0--A/b.jpg").rename(tiny.root / "WFLW_images/0--A" / os.fsdecode(b"\xe9.jpg"))
    tiny.attr.write_bytes(tiny.attr.read_bytes().replace(b"0--A/b.jpg", b"0--A/\xe9.jpg"))
    report = verify(tiny.attr)
    assert [(finding.code, finding.line) for finding in report.findings if finding.severity != "note"] == [
        ("encoding", 2)
    ]
    assert report.exit_code == 1
    assert report.summary.startswith(str(tiny.attr))
    assert report.findings[0].where == "list_98pt_rect_attr_test.txt:2"
    assert json.loads(report.to_json())["facts"]["faces"] == 6


def test_the_cached_benchmark_is_asked_for_without_a_path(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmebench.synthface, "cached", lambda: tiny.root, raising=False)
    assert datasets.load("synthface").spec == "synthface"


def test_a_whole_set_without_some_subsets_says_so(tiny: Any) -> None:
    line = tiny.list.read_text().splitlines()[0].split(" ", 1)
    tiny.list.write_text("\n".join(f"{40 + face / 1000:.6f} {line[1]}" for face in range(2500)))
    for word in ("largepose", "expression", "illumination", "makeup", "occlusion", "blur"):
        tiny.list.with_name(f"list_98pt_test_{word}.txt").unlink()
    dataset = datasets.load(f"wflw:{tiny.list}")
    assert not dataset.complete
    assert dataset.describe().startswith("2500 faces, without the subsets pose, expression")


def test_a_csv_of_comments_holds_no_faces() -> None:
    with pytest.raises(InputError, match="holds no faces"):
        read("hrnet-csv", "# image_name\n\n")


def test_a_name_longer_than_any_file_is_a_missing_photograph(tiny: Any) -> None:
    tiny.edit(tiny.attr, lambda content: content.replace("b.jpg", "b" * 5000))
    assert datasets.load(f"wflw:{tiny.attr}").image_root == tiny.root / "WFLW_images"
    assert [finding.code for finding in verify(tiny.attr).findings if finding.severity == "error"] == [
        "image-unreadable"
    ]


def test_a_photograph_that_only_opencv_reads_is_a_finding(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise OSError("cannot\nidentify")

    monkeypatch.setattr("nmebench.datasets.verify.photographs.PIL.Image.open", refuse)
    found = [finding for finding in verify(tiny.attr).findings if finding.code == "image-kind"]
    assert len(found) == 5
    assert found[0].message.endswith("cannot identify")
