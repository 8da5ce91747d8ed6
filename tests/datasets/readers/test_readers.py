"""All format readers under valid, varied and damaged input."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmebench import datasets
from nmebench.datasets.formats import FORMATS, read_rows
from nmebench.datasets.readers import spiga_json
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import AnnotatedFaces, gather
from nmebench.errors import InputError

POINTS = 3


IDS = (24, 7, 101)
"""Ids of three landmarks in place of SPIGA's 68."""


@pytest.fixture(autouse=True, scope="module")
def _three_ids() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spiga_json, "IDS", {POINTS: IDS})
        yield


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


def as_text(kind: str, faces: list[tuple[str, list[float], list[float], list[bool]]]) -> str:
    """Write faces in a format."""
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
    if kind == "faces-json":
        made = []
        for name, points, rect, _ in faces:
            pairs = list(map(list, zip(points[::2], points[1::2], strict=True)))
            made.append({"image": name, "landmarks": pairs, "box": rect})
        return json.dumps({"faces": made})
    if kind == "spiga-json":
        return json.dumps(
            [
                {
                    "imgpath": name,
                    "bbox": rect,
                    "ids": IDS[::-1],
                    "landmarks": list(map(list, zip(p[::2], p[1::2], strict=True)))[::-1],
                    "visible": [1.0] * POINTS,
                }
                for name, p, rect, _ in faces
            ]
        )
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


def read_faces(kind: str, content: str) -> AnnotatedFaces:
    return gather(read_rows(content, "file", kind, POINTS), "file", POINTS)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=40, deadline=None)
@given(faces=st.lists(FACE, min_size=1, max_size=5))
def test_written_faces_are_read_back(kind: str, faces: list[Any]) -> None:
    found = read_faces(kind, as_text(kind, faces))
    assert found.images == tuple(face[0] for face in faces)
    np.testing.assert_array_equal(found.landmarks.reshape(len(faces), -1), [face[1] for face in faces])
    if kind == "faces-json":
        np.testing.assert_array_equal(found.rect, [face[2] for face in faces])
    elif kind == "spiga-json":
        np.testing.assert_array_equal(found.rect, [[x, y, x + w, y + h] for x, y, w, h in (face[2] for face in faces)])
    elif kind == "official-attr":
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
def test_damaged_text_gives_faces_or_one_line_errors(
    kind: str, faces: list[Any], at: float, length: int, put: str
) -> None:
    whole = as_text(kind, faces)
    start = int(at * len(whole))
    damaged = whole[:start] + put + whole[start + length :]
    messages: list[str] = []
    try:
        rows = list(read_rows(damaged, "file", kind, POINTS))
        messages = [str(row) for row in rows if isinstance(row, RowError)]
        faces_read = read_faces(kind, damaged)
    except InputError as error:
        messages.append(str(error))
    else:
        assert np.isfinite(faces_read.landmarks).all()
        assert not any(Path(image).is_absolute() or ".." in Path(image).parts for image in faces_read.images)
    assert all(message.startswith("file") and message.isprintable() for message in messages), messages


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
def test_harmless_variations_of_every_format_are_read(tiny: Any, file: str, change: Callable[[str], str]) -> None:
    tiny.edit(getattr(tiny, file), change)
    dataset = datasets.load(f"wflw:{getattr(tiny, file)}")
    assert dataset.images == tiny.images
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)
