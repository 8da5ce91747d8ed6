"""nmebench's own json."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from nmebench.datasets.formats import detect_format
from nmebench.datasets.readers.faces_json import read
from nmebench.datasets.readers.rows import AnnotationRow, gather
from nmebench.errors import InputError

FACE = {"image": "a.jpg", "landmarks": [[1.5, 2.0], [3, 4.25]]}


def _text(*faces: Any) -> str:
    return json.dumps({"faces": list(faces)})


def test_faces_keep_every_digit_and_their_subsets() -> None:
    text = _text({**FACE, "subsets": ["dark", "blur"], "box": [0, 1, 20, 30.5]}, {**FACE, "box": [1, 1, 2, 2]})
    faces = gather(read(text, "f.json", 2), "f.json", 2)
    np.testing.assert_array_equal(faces.landmarks, [[[1.5, 2.0], [3, 4.25]]] * 2)
    assert faces.subsets is not None
    assert {name: mask.tolist() for name, mask in faces.subsets.items()} == {
        "blur": [True, False],
        "dark": [True, False],
    }
    assert faces.rect is not None
    assert faces.rect[0].tolist() == [0, 1, 20, 30.5]


def test_the_format_is_recognised_by_its_first_key() -> None:
    assert detect_format(_text(FACE), "f.json") == "faces-json"
    assert detect_format('{"images": [], "faces": []}', "f.json") == "mmpose-json"


@pytest.mark.parametrize(
    ("face", "message"),
    [
        (3, "face 1 is not an object"),
        ({**FACE, "landmark": 1}, "unknown field 'landmark'; did you mean 'landmarks'"),
        ({"image": "a.jpg"}, "no list 'landmarks', expected 2"),
        ({**FACE, "landmarks": [[1, 2]]}, "1 landmarks, expected 2"),
        ({**FACE, "landmarks": [[1, 2], None]}, "landmark 1 is not a list of x and y; a landmark without a position"),
        ({**FACE, "landmarks": [[1, 2], [1, 2, 3]]}, "landmark 1 is not a list of x and y"),
        ({**FACE, "landmarks": [[1, 2], [1, float("nan")]]}, "landmark 1 y is nan, not a finite number"),
        ({**FACE, "landmarks": [[1, 2], ["1_0", 2]]}, "landmark 1 x is '1_0', not a number"),
        ({**FACE, "box": [1, 2, 3]}, "'box' is not a list of four numbers"),
        ({**FACE, "subsets": "dark"}, "'subsets' is not a list of names"),
        ({**FACE, "image": "../a.jpg"}, "leads out of the image folder"),
        ({"landmarks": FACE["landmarks"]}, "the image's name is missing"),
    ],
)
def test_a_wrong_face_is_an_error_with_its_position(face: Any, message: str) -> None:
    good, bad = read(_text(FACE, face), "f.json", 2)
    assert isinstance(good, AnnotationRow)
    assert not isinstance(bad, AnnotationRow)
    assert bad.line == 2
    assert message.replace("face 1", "face 2") in str(bad)


@pytest.mark.parametrize("text", ["[]", "{}", '{"faces": {}}'])
def test_a_json_without_faces_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="needs the list 'faces'"):
        list(read(text, "f.json", 2))


def test_a_field_beside_the_faces_is_refused() -> None:
    with pytest.raises(InputError, match="unknown field 'origin' beside 'faces'"):
        list(read(json.dumps({"faces": [FACE], "origin": 1}), "f.json", 2))
