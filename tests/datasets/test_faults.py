"""The table of faults in docs/datasets.md: each fault is planted, and the page must show the message that follows."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from nmebench import boxes, datasets
from nmebench.errors import InputError
from nmebench.geometry import images

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"
BEGIN, END = "<!-- faults -->\n", "<!-- /faults -->"
Plant = Callable[[Any], object]


def load_everything(tiny: Any, file: str, box: str = "landmarks") -> str:
    """Load faces, boxes and photographs as a sweep does; return the message or the notes."""
    try:
        dataset = datasets.load(f"wflw:{getattr(tiny, file)}")
        boxes.create(box)(dataset)
        for image in sorted(set(dataset.images)):
            images.read((dataset.image_root or tiny.root) / image)
        dataset = dataset.with_photograph_notes()
    except InputError as error:
        return str(error)
    same = np.array_equal(dataset.landmarks[: len(tiny.landmarks)], tiny.landmarks)
    return "; ".join(dataset.notes) or ("(read, all faces alike)" if same else "(read, but other faces)")


def text(file: str, change: Callable[[str], str]) -> Plant:
    return lambda tiny: tiny.edit(getattr(tiny, file), change)


def token(place: int, value: str, line: int = 2) -> Callable[[str], str]:
    def change(content: str) -> str:
        lines = content.split("\n")
        tokens = lines[line].split(" ")
        lines[line] = " ".join([*tokens[:place], value, *tokens[place + 1 :]])
        return "\n".join(lines)

    return change


def picture(change: Callable[[Path], object]) -> Plant:
    return lambda tiny: change(tiny.root / "WFLW_images/1--B/c.jpg")


def picture_of(data: bytes) -> Plant:
    return picture(lambda path: path.write_bytes(data))


def encode(image: np.ndarray, kind: str = ".png") -> bytes:
    return cv2.imencode(kind, image)[1].tobytes()


def declared(width: int, height: int) -> bytes:
    """A PNG whose header declares that size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def renamed(name: str, parent: str = "1--B/") -> Plant:
    """Rename a photograph, on disk and in the lists."""

    def plant(tiny: Any) -> None:
        path = tiny.root / "WFLW_images" / parent / name
        path.parent.mkdir(exist_ok=True)
        (tiny.root / "WFLW_images/1--B/c.jpg").rename(path)
        data = tiny.attr.read_bytes().replace(b"1--B/c.jpg", os.fsencode(parent + name))
        tiny.attr.write_bytes(data)
        cells = f'"{parent}' + name.replace('"', '""') + '"'
        for file in tiny.csv.parent.iterdir():
            file.write_bytes(file.read_bytes().replace(b"1--B/c.jpg", os.fsencode(cells)))

    return plant


def origin(row: str) -> str:
    """A row of the csv with two landmarks at exactly (0, 0)."""
    cells = row.split(",")
    return ",".join([*cells[:4], *"0000", *cells[8:]])


def fractions(content: str) -> str:
    """A list whose landmarks are fractions of photographs of 100 px."""
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]) / 100:.6f}", content)


def cut_with_end_marker(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: (data.index(b"\xff\xda") + len(data)) // 2] + b"\xff\xd9")


def eyes(content: str) -> str:
    lines = content.split("\n")
    tokens = lines[2].split(" ")
    tokens[144:146] = tokens[120:122]
    return "\n".join([*lines[:2], " ".join(tokens), *lines[3:]])


GREY = np.full((80, 96), 90, dtype=np.uint8)
FAULTS: list[tuple[str, Plant, str, str]] = [
    ("Windows line ends", text("attr", lambda t: t.replace("\n", "\r\n")), "attr", "landmarks"),
    ("a byte order mark", text("csv", lambda t: "\ufeff" + t), "csv", "landmarks"),
    ("UTF-16", lambda t: t.attr.write_bytes(t.attr.read_text().encode("utf-16")), "attr", "landmarks"),
    ("trailing blanks", text("list", lambda t: t.replace("\n", " \t\n")), "list", "landmarks"),
    ("tabs", text("attr", lambda t: t.replace(" ", "\t", 150)), "attr", "landmarks"),
    ("comment lines", text("attr", lambda t: "# x0 y0\n" + t), "attr", "landmarks"),
    ("decimal commas", text("attr", lambda t: re.sub(r"(\d)\.(\d)", r"\1,\2", t)), "attr", "landmarks"),
    ("a line with 206 tokens", text("attr", token(0, "")), "attr", "landmarks"),
    ("the image's name in front", text("list", lambda t: "b.jpg " + t), "list", "landmarks"),
    ("a NaN coordinate", text("attr", token(7, "nan")), "attr", "landmarks"),
    ("a coordinate beyond all photographs", text("attr", token(7, "1e9")), "attr", "landmarks"),
    ("an attribute that is not 0 or 1", text("attr", token(201, "2")), "attr", "landmarks"),
    ("eye corners that coincide", text("attr", eyes), "attr", "landmarks"),
    (
        "columns of the csv swapped, header too",
        text("csv", lambda t: "\n".join(",".join(reversed(r.split(","))) for r in t.split("\n"))),
        "csv",
        "landmarks",
    ),
    ("a column of the csv missing", text("csv", lambda t: t.replace("original_5_y", "o")), "csv", "landmarks"),
    ("a csv with semicolons", text("csv", lambda t: t.replace(",", ";")), "csv", "landmarks"),
    ("a json cut off", text("json", lambda t: t[:-40]), "json", "landmarks"),
    ("a json of another kind", text("json", lambda t: '{"a": 1}'), "json", "landmarks"),
    (
        "keypoints missing in a json",
        text("json", lambda t: t.replace('"keypoints"', '"points"', 1)),
        "json",
        "landmarks",
    ),
    (
        "landmarks that a json marks as not annotated (v = 0)",
        text("json", lambda t: t.replace(", 1,", ", 0,", 3)),
        "json",
        "landmarks",
    ),
    (
        "landmarks at exactly (0, 0)",
        text("csv", lambda t: "\n".join([*t.split("\n")[:5], origin(t.split("\n")[5]), *t.split("\n")[6:]])),
        "csv",
        "landmarks",
    ),
    ("landmarks as fractions of the image", text("list", fractions), "list", "landmarks"),
    ("a json nested without end", text("json", lambda t: "[" * 100_000), "json", "landmarks"),
    (
        "a subset's file missing",
        lambda t: t.csv.with_name("face_landmarks_wflw_test_blur.csv").unlink(),
        "csv",
        "landmarks",
    ),
    (
        "a subset of other faces",
        lambda t: t.list.with_name("list_98pt_test_blur.txt").write_text(t.list.read_text().replace("--", "-")),
        "list",
        "landmarks",
    ),
    ("a face twice", text("attr", lambda t: t + t.split("\n")[0]), "attr", "landmarks"),
    ("a path out of the folder", text("attr", token(206, "../../secret.jpg")), "attr", "landmarks"),
    ("an absolute path", text("attr", token(206, "/etc/passwd")), "attr", "landmarks"),
    ("an empty list", text("attr", lambda t: ""), "attr", "landmarks"),
    ("a file of another kind", text("attr", lambda t: "Dear reader,\n"), "attr", "landmarks"),
    ("box `rect` with a csv", lambda t: None, "csv", "rect"),
    ("box `annotation` with a list", lambda t: None, "list", "annotation"),
    (
        "a rectangle without width",
        text("attr", lambda t: token(198, t.split("\n")[2].split(" ")[196])(t)),
        "attr",
        "rect",
    ),
    ("a photograph missing", picture(Path.unlink), "attr", "landmarks"),
    ("a photograph of 0 bytes", picture_of(b""), "attr", "landmarks"),
    ("a truncated JPEG", picture(lambda p: p.write_bytes(p.read_bytes()[:-99])), "attr", "landmarks"),
    ("a JPEG cut in the middle, with an end marker", picture(cut_with_end_marker), "attr", "landmarks"),
    ("a JPEG without its end marker", picture(lambda p: p.write_bytes(p.read_bytes()[:-2])), "attr", "landmarks"),
    (
        "zeros for a JPEG's end marker",
        picture(lambda p: p.write_bytes(p.read_bytes()[:-2] + bytes(512))),
        "attr",
        "landmarks",
    ),
    ("a truncated PNG", picture_of(encode(GREY)[:-20]), "attr", "landmarks"),
    ("a web page for a photograph", picture_of(b"<html>quota exceeded</html>"), "attr", "landmarks"),
    ("PostScript for a photograph", picture_of(b"%!PS-Adobe-3.0 EPSF-3.0\n"), "attr", "landmarks"),
    ("AVIF for a photograph", picture_of(b"\0\0\0\x1cftypavif" + bytes(60)), "attr", "landmarks"),
    ("a named pipe for a photograph", picture(lambda p: (p.unlink(), os.mkfifo(p))), "attr", "landmarks"),
    ("a photograph of 1 x 1", picture_of(encode(np.zeros((1, 1, 3), np.uint8))), "attr", "landmarks"),
    ("30000 x 30000 declared", picture_of(declared(30000, 30000)), "attr", "landmarks"),
    ("a grey photograph", picture_of(encode(GREY)), "attr", "landmarks"),
    ("a photograph with alpha", picture_of(encode(np.dstack([GREY] * 4))), "attr", "landmarks"),
    ("a photograph of 16 bits", picture_of(encode(GREY.astype(np.uint16) * 257)), "attr", "landmarks"),
    ("a folder named .jpg", picture(lambda p: (p.unlink(), p.mkdir())), "attr", "landmarks"),
    ("a name with a blank", renamed("my face.jpg"), "attr", "landmarks"),
    ("a name that starts with a number", renamed("1 (2).jpg", ""), "attr", "landmarks"),
    ("a folder's name that starts with a number", renamed("2018 party/a.jpg", ""), "attr", "landmarks"),
    (
        "Windows paths",
        text("attr", lambda t: t.replace("/", "\\")),
        "attr",
        "landmarks",
    ),
    ("a name with quotes", renamed('"it\'s".jpg'), "csv", "landmarks"),
    ("a name with a newline", renamed("two\nlines.jpg"), "csv", "landmarks"),
    ("a name that is not UTF-8", renamed(os.fsdecode(b"caf\xe9.jpg")), "attr", "landmarks"),
]


def table() -> dict[str, str]:
    """Return the page's rows by fault."""
    inside = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    return {row.split("|")[1].strip(): row for row in inside.splitlines() if row.startswith("| ")}


@pytest.mark.parametrize(("fault", "plant", "file", "box"), [pytest.param(*case, id=case[0]) for case in FAULTS])
def test_message_is_the_one_on_the_page(tiny: Any, fault: str, plant: Plant, file: str, box: str) -> None:
    plant(tiny)
    message = load_everything(tiny, file, box)
    assert message.isprintable()
    assert "(read, but other faces)" not in message
    row = f"| {fault} | {message.replace(str(tiny.root), 'DIR').replace('|', '&#124;')} |"
    if os.environ.get("UPDATE_FAULTS"):
        rows = {**table(), fault: row}
        head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        made = "| fault | message |\n|---|---|\n" + "\n".join(rows[title] for title, *_ in FAULTS if title in rows)
        PAGE.write_text(head + BEGIN + made + "\n" + END + rest.partition(END)[2], encoding="utf-8")
    assert table()[fault] == row


def test_page_lists_no_other_faults() -> None:
    assert set(table()) == {"fault", *(title for title, *_ in FAULTS)}
