"""mmpose's json: wrong files are refused with file and position."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nmebench import datasets
from nmebench.errors import InputError


def in_second_annotation(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    """Apply a change to the second annotation."""
    return lambda table: change(table["annotations"][1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            in_second_annotation(lambda a: a["keypoints"].pop()), r"293 numbers in 'keypoints'", id="293 numbers"
        ),
        pytest.param(
            in_second_annotation(lambda a: a.pop("keypoints")), r"no numbers in 'keypoints'", id="no keypoints"
        ),
        pytest.param(
            in_second_annotation(lambda a: a["keypoints"].__setitem__(4, None)), r"landmark 1 y is None", id="null"
        ),
        pytest.param(
            in_second_annotation(lambda a: a["keypoints"].__setitem__(3, True)), r"landmark 1 x is True", id="true"
        ),
        pytest.param(
            in_second_annotation(lambda a: a["keypoints"].__setitem__(3, float("nan"))), r"is nan, not a", id="NaN"
        ),
        pytest.param(
            in_second_annotation(lambda a: a["keypoints"].__setitem__(3, 10**400)), r"not a finite", id="huge"
        ),
        pytest.param(
            in_second_annotation(lambda a: a["keypoints"].__setitem__(slice(6, 186), [0] * 180)),
            r"landmark 2 has v = 0, which means not annotated \(60 of 98 landmarks\): the NME counts all of them",
            id="60 landmarks not annotated",
        ),
        *(
            pytest.param(
                in_second_annotation(lambda a, v=v: a["keypoints"].__setitem__(8, v)),
                r"landmark 2 has the visibility v = .*, not 0, 1 or 2",
                id=f"visibility {v!r}",
            )
            for v in (3, -1, 0.97, True, None, "1", [1], float("nan"))
        ),
        pytest.param(
            in_second_annotation(lambda a: a.update(image_id=1)), r"image_id 1 is not among", id="unknown image"
        ),
        pytest.param(
            in_second_annotation(lambda a: a.update(image_id=[7])), r"image_id \[7\] is not among", id="id a list"
        ),
        pytest.param(in_second_annotation(lambda a: a.update(center=4)), r"'center' is not a list of two", id="centre"),
        pytest.param(
            in_second_annotation(lambda a: a.update(scale="large")), r"scale is 'large', not a number", id="scale"
        ),
        pytest.param(
            in_second_annotation(lambda a: a.pop("scale")), r":2: the face has no centre and scale", id="no scale"
        ),
    ],
)
def test_wrong_annotations_are_refused(tiny: Any, change: Callable[[Any], object], message: str) -> None:
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
            r"image 2: the id 1 is used twice",
            id="image id twice",
        ),
        pytest.param('{"images": [], "annotations": [3]}', r"annotation 1 is not an object", id="no object"),
        pytest.param("[" * 100000, r"not a json", id="nested without end"),
        pytest.param('{"images": [' + "9" * 5000 + "]}", r"not a json", id="a number without end"),
    ],
)
def test_wrong_jsons_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "faces.json"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        datasets.load(f"wflw:{file}")
    assert "\n" not in str(caught.value)


def test_visibilities_of_annotated_landmarks_are_read(tiny: Any) -> None:
    table = json.loads(tiny.json.read_text())
    for landmark, visibility in enumerate((1, 2, 1.0, 2.0)):
        table["annotations"][1]["keypoints"][3 * landmark + 2] = visibility
    tiny.json.write_text(json.dumps(table))
    assert len(datasets.load(f"wflw:{tiny.json}")) == 6
