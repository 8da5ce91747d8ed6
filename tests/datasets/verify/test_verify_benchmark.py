"""Planted defects: each is found, and clean files give no findings."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from nmebench import datasets
from nmebench.datasets.verify import Report, verify
from nmebench.errors import InputError

CLEAN_CODES = {"partial"}


Plant = Callable[[Any], None]


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def in_line(file: str, number: int, change: Callable[[list[str]], list[str]]) -> Plant:
    """Change the tokens of one line of a list or the cells of one line of the csv."""

    def plant(tiny: Any) -> None:
        path = getattr(tiny, file)
        split = "," if path.suffix == ".csv" else " "
        lines = path.read_text().split("\n")
        lines[number - 1] = split.join(change(lines[number - 1].split(split)))
        path.write_text("\n".join(lines))

    return plant


def in_text(file: str, change: Callable[[str], str]) -> Plant:
    """Change a file's text."""
    return lambda tiny: tiny.edit(getattr(tiny, file), change)


def in_json(change: Callable[[dict[str, Any]], object]) -> Plant:
    """Change the json's content."""

    def plant(tiny: Any) -> None:
        table = json.loads(tiny.json.read_text())
        change(table)
        tiny.json.write_text(json.dumps(table))

    return plant


def replaced(place: int, value: str) -> Callable[[list[str]], list[str]]:
    return lambda tokens: [*tokens[:place], value, *tokens[place + 1 :]]


def photograph(change: Callable[[Path], object], name: str = "1--B/c.jpg") -> Plant:
    return lambda tiny: change(tiny.root / "WFLW_images" / name)


def add_to_numbers(tokens: list[str], first: int, last: int, offset: float) -> list[str]:
    moved = [f"{float(token) + offset:.6f}" for token in tokens[first:last]]
    return [*tokens[:first], *moved, *tokens[last:]]


def in_all_lines(file: str, change: Callable[[list[str]], list[str]]) -> Plant:
    def plant(tiny: Any) -> None:
        path = getattr(tiny, file)
        split = "," if path.suffix == ".csv" else " "
        lines = path.read_text().splitlines()
        head = lines[:1] if path.suffix == ".csv" else []
        body = [split.join(change(line.split(split))) for line in lines[len(head) :]]
        path.write_text("\n".join([*head, *body]) + "\n")

    return plant


def swap_columns(tokens: list[str]) -> list[str]:
    return [*(token for i in range(0, 196, 2) for token in (tokens[i + 1], tokens[i])), *tokens[196:]]


def coincident_landmarks(tokens: list[str]) -> list[str]:
    """Put all landmarks on one point."""
    return [*(["40.0", "41.0"] * 98), *tokens[196:]]


def with_exif_orientation(path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    with PIL.Image.open(path) as picture:
        picture.save(path, "JPEG", exif=exif)


def cut_with_end_marker(path: Path) -> None:
    """Cut a JPEG in the middle of its data and append an end marker, as some programs do."""
    data = path.read_bytes()
    path.write_bytes(data[: (data.index(b"\xff\xda") + len(data)) // 2] + b"\xff\xd9")


def unannotate(face: int, count: int) -> Callable[[dict[str, Any]], object]:
    """Write ``count`` landmarks of a face as COCO writes unannotated ones: 0, 0 with v = 0."""
    return lambda table: table["annotations"][face]["keypoints"].__setitem__(slice(0, 3 * count), [0] * (3 * count))


def add_training_list_with_test_face(tiny: Any) -> None:
    text = tiny.attr.read_text().splitlines(keepends=True)[2]
    tiny.attr.with_name("list_98pt_rect_attr_train.txt").write_text(text)


def complete_list_with_wrong_pose_count(tiny: Any) -> None:
    """2500 faces, of which 327 have a large pose."""
    for file in (tiny.csv, tiny.json, tiny.list):
        file.unlink()
    tokens = tiny.attr.read_text().splitlines()[0].split(" ")
    lines = []
    for face in range(2500):
        flags = [str(int(face < count)) for count in (327, 314, 698, 206, 736, 773)]
        points = [f"{float(value) + face / 1000:.6f}" for value in tokens[:196]]
        lines.append(" ".join([*points, *tokens[196:200], *flags, *tokens[206:]]))
    tiny.attr.write_text("\n".join(lines) + "\n")


DEFECTS = [
    ("206 tokens", in_line("attr", 3, lambda t: t[1:]), "columns", "attr", 3),
    ("208 tokens", in_line("attr", 3, lambda t: ["1.0", *t]), "columns", "attr", 3),
    ("image in front", in_line("attr", 2, lambda t: [t[-1], *t[:-1]]), "columns", "attr", 2),
    ("nan", in_line("attr", 4, replaced(17, "nan")), "not-finite", "attr", 4),
    ("infinite", in_line("list", 4, replaced(17, "-inf")), "not-finite", "list", 4),
    ("word for a number", in_line("csv", 4, replaced(17, "left")), "number", "csv", 4),
    ("digits run together", in_line("attr", 1, replaced(17, "435066864")), "out-of-range", "attr", 1),
    ("decimal comma", in_line("attr", 5, replaced(17, "43,5")), "decimal-comma", "attr", 5),
    ("attribute of 2", in_line("attr", 5, replaced(203, "2")), "attribute", "attr", 5),
    ("path out of the folder", in_line("list", 2, replaced(196, "../../b.jpg")), "path", "list", 2),
    ("absolute path", in_line("csv", 3, replaced(0, "/etc/passwd")), "path", "csv", 3),
    ("byte order mark", in_text("attr", lambda s: "\ufeff" + s), "byte-order-mark", "attr", 1),
    ("windows line ends", in_text("attr", lambda s: s.replace("\n", "\r\n")), "line-ends", "attr", 1),
    ("comment", in_text("list", lambda s: "# my list\n" + s), "comment", "list", 1),
    ("tabs", in_text("list", lambda s: s.replace(" ", "\t", 5)), "tabs", "list", 1),
    ("trailing blanks", in_text("list", lambda s: s.replace(".jpg\n", ".jpg  \n", 1)), "trailing-blanks", "list", 1),
    ("empty line", in_text("attr", lambda s: s.replace("\n", "\n\n", 1)), "blank-line", "attr", 2),
    (
        "coincident eye corners",
        in_line("attr", 2, lambda t: [*t[:144], *t[120:122], *t[146:]]),
        "eyes-coincide",
        "attr",
        2,
    ),
    ("all landmarks on a spot", in_line("list", 2, coincident_landmarks), "eyes-coincide", "list", 2),
    ("duplicate line", in_text("attr", lambda s: s + s.split("\n")[1] + "\n"), "duplicate", "attr", 7),
    (
        "image exchanged",
        in_text("list", lambda s: s + s.split("\n")[0].replace("a 1", "zz") + "\n"),
        "duplicate-landmarks",
        "list",
        7,
    ),
    ("x and y swapped", in_all_lines("attr", swap_columns), "mirrored", "attr", None),
    ("x and y swapped in a line", in_line("attr", 6, swap_columns), "mirrored", "attr", 6),
    ("one landmark far away", in_line("attr", 2, replaced(20, "4000.0")), "jump", "attr", 2),
    (
        "1-based copy of the list",
        in_all_lines("list", lambda t: add_to_numbers(t, 0, 196, 1)),
        "one-based",
        "list",
        None,
    ),
    ("1-based copy of the csv", in_all_lines("csv", lambda t: add_to_numbers(t, 4, 200, 1)), "one-based", "csv", None),
    (
        "rounded to pixels",
        in_all_lines("attr", lambda t: [*(f"{float(v):.0f}" for v in t[:196]), *t[196:]]),
        "whole-pixels",
        "attr",
        None,
    ),
    (
        "rectangle without width",
        in_line("attr", 3, lambda t: [*t[:198], *t[196:198], *t[200:]]),
        "rect-empty",
        "attr",
        3,
    ),
    (
        "rectangle cuts the face",
        in_line("attr", 3, lambda t: [*t[:196], "35", "35", "40", "40", *t[200:]]),
        "box-cuts",
        "attr",
        3,
    ),
    ("scale of 0", in_line("csv", 3, replaced(1, "0")), "scale-empty", "csv", 3),
    ("another face's centre", in_line("csv", 3, replaced(2, "400")), "box-differs", "csv", 3),
    (
        "subset file gone",
        lambda t: t.csv.with_name("face_landmarks_wflw_test_blur.csv").unlink(),
        "subset-missing",
        None,
        None,
    ),
    (
        "other faces in a subset",
        lambda t: shutil.copy(t.list, t.list.with_name("list_98pt_test_blur.txt")),
        "subsets-disagree",
        "attr",
        2,
    ),
    (
        "a subset's face that is not in the list",
        in_text("list", lambda s: s.split("\n", 1)[1]),
        "subset-foreign",
        None,
        1,
    ),
    (
        "a line less than the others",
        in_text("csv", lambda s: s[: s.rstrip().rindex("\n") + 1]),
        "formats-disagree",
        "csv",
        None,
    ),
    (
        "another order",
        in_text("csv", lambda s: "".join(s.splitlines(True)[i] for i in (0, 2, 1, 3, 4, 5, 6))),
        "order-differs",
        "csv",
        2,
    ),
    ("another number in one format", in_line("csv", 5, replaced(30, "41.5")), "formats-disagree", "csv", 5),
    ("wrong count of a subset", complete_list_with_wrong_pose_count, "subset-count", "attr", None),
    (
        "too many faces",
        lambda t: (
            complete_list_with_wrong_pose_count(t),
            t.edit(t.attr, lambda s: s + s.split("\n")[0].replace("40.", "41.") + "\n"),
        ),
        "count",
        "attr",
        None,
    ),
    ("training on test faces", add_training_list_with_test_face, "train-test-overlap", None, 1),
    ("no iscrowd", in_json(lambda t: t["annotations"][1].pop("iscrowd")), "iscrowd", "json", 2),
    ("id twice", in_json(lambda t: t["annotations"][3].update(id=0)), "annotation-id", "json", 4),
    ("keypoints short", in_json(lambda t: t["annotations"][3]["keypoints"].pop()), "columns", "json", 4),
    ("unknown image id", in_json(lambda t: t["annotations"][3].update(image_id=99)), "columns", "json", 4),
    ("not a json", in_text("json", lambda s: s[:-30]), "unreadable", "json", None),
    ("empty file", in_text("csv", lambda s: ""), "unreadable", "csv", None),
    ("no face of a file", in_all_lines("list", lambda t: t[5:]), "no-faces", "list", None),
    ("image missing", photograph(Path.unlink), "image-missing", "attr", 3),
    ("image empty", photograph(lambda p: p.write_bytes(b"")), "image-unreadable", "attr", 3),
    ("image truncated", photograph(lambda p: p.write_bytes(p.read_bytes()[:-200])), "image-unreadable", "attr", 3),
    ("image is a folder", photograph(lambda p: (p.unlink(), p.mkdir())), "image-unreadable", "attr", 3),
    (
        "image resized",
        photograph(lambda p: p.write_bytes(cv2.imencode(".jpg", np.zeros((160, 192, 3), np.uint8))[1].tobytes())),
        "image-size",
        "attr",
        3,
    ),
    ("landmark not annotated", in_json(unannotate(3, 60)), "visibility", "json", 4),
    ("visibility of 3", in_json(lambda t: t["annotations"][3]["keypoints"].__setitem__(2, 3)), "visibility", "json", 4),
    (
        "landmarks at the origin in a list",
        in_line("attr", 3, lambda t: ["0", "0", "0.0", "0.000", *t[4:]]),
        "origin",
        "attr",
        3,
    ),
    ("landmarks at the origin in the csv", in_line("csv", 3, lambda c: [*c[:4], *"0000", *c[8:]]), "origin", "csv", 3),
    (
        "fractions of the image",
        in_all_lines("list", lambda t: [*(f"{float(v) / 100:.6f}" for v in t[:196]), *t[196:]]),
        "unit",
        "list",
        None,
    ),
    ("backslashes", in_text("attr", lambda s: s.replace("1--B/c", "1--B\\c")), "backslash", "attr", 3),
    ("image without end marker", photograph(lambda p: p.write_bytes(p.read_bytes()[:-2])), "image-end", "attr", 3),
    ("image cut, with an end marker", photograph(cut_with_end_marker), "image-unreadable", "attr", 3),
    (
        "image is PostScript",
        photograph(lambda p: p.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")),
        "image-unreadable",
        "attr",
        3,
    ),
    ("image turned by EXIF", photograph(with_exif_orientation), "image-turned", "attr", 3),
    (
        "face outside its photograph",
        photograph(lambda p: p.write_bytes(cv2.imencode(".jpg", np.zeros((9, 9, 3), np.uint8))[1].tobytes())),
        "outside",
        "attr",
        3,
    ),
    ("no photographs", lambda t: shutil.rmtree(t.root / "WFLW_images"), "no-photographs", "attr", None),
]


@pytest.mark.parametrize(
    ("plant", "code", "file", "line"), [pytest.param(*defect[1:], id=defect[0]) for defect in DEFECTS]
)
def test_planted_defect_is_found(tiny: Any, plant: Plant, code: str, file: str | None, line: int | None) -> None:
    plant(tiny)
    report = verify(tiny.root)
    hits = [finding for finding in report.findings if finding.code == code]
    assert hits, codes(report)
    if file is not None:
        name = getattr(tiny, file).relative_to(tiny.root).as_posix()
        assert (name, line) in [(finding.file, finding.line) for finding in hits]
    assert not report.ok
    for finding in report.findings:
        assert "\n" not in finding.message
        assert not re.match(r"\S*\.(txt|csv|json):", finding.message)


def test_clean_files_have_no_findings(tiny: Any) -> None:
    report = verify(tiny.root)
    assert codes(report) == CLEAN_CODES
    assert report.ok
    assert report.errors == 0
    assert sorted(report.files.values()) == ["hrnet-csv", "mmpose-json", "official-attr", "official-list"]
    assert report.facts["faces"] == 6
    assert report.facts["images"] == 5


def test_real_sample_has_no_findings(shared: Path) -> None:
    report = verify(shared / "wflw-sample")
    assert codes(report) == CLEAN_CODES
    assert report.facts == {"faces": 143, "images": 119, "faces reaching beyond their photograph": 3}
    served = {protocol.name.split(" (")[0]: protocol.served for protocol in report.protocols}
    assert served["decoders' floors on the landmarks"]
    assert served["a network on these faces"]
    assert not served["published NME/FR/AUC on test, box `landmarks`"]
    assert "143 of 2500 faces" in {protocol.reason for protocol in report.protocols}


def test_one_format_without_photographs(tiny: Any) -> None:
    (tiny.root / "WFLW_images/1--B/c.jpg").unlink()
    report = verify(tiny.root, "hrnet-csv", images=False)
    assert list(report.files.values()) == ["hrnet-csv"]
    assert codes(report) == CLEAN_CODES


def test_single_file(tiny: Any) -> None:
    report = verify(tiny.attr)
    assert report.files == {"list_98pt_rect_attr_test.txt": "official-attr"}
    assert codes(report) == CLEAN_CODES


def test_complete_folder_serves_published_protocols(tiny: Any) -> None:
    complete_list_with_wrong_pose_count(tiny)
    tokens = tiny.attr.read_text().splitlines()
    tokens[326] = re.sub(r" 1( \d \d \d \d \d 0--A)", r" 0\1", tokens[326])
    tiny.attr.write_text("\n".join(tokens) + "\n")
    report = verify(tiny.root)
    assert report.ok, report.findings
    served = {protocol.name.split(",")[0].split(" (")[0] for protocol in report.protocols if protocol.served}
    assert "published NME/FR/AUC on test" in served
    assert "published values by attribute" in served
    assert "box `rect`" in served
    assert "training" not in served


def test_folder_without_annotation_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not hold a WFLW annotation file"):
        verify(tmp_path)
    with pytest.raises(InputError, match=r"unknown format of WFLW 'coco'"):
        verify(tmp_path, "coco")


def test_broken_subset_list_is_an_error_and_a_finding(tiny: Any) -> None:
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


def test_name_that_is_not_utf8_is_a_finding(tiny: Any) -> None:
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
