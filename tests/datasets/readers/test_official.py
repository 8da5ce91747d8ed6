"""WFLW's official lists: valid files are read, wrong ones are refused with file and line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nmebench import datasets
from nmebench.errors import InputError


def with_token(place: int, value: str) -> Callable[[str], str]:
    """Return a change of one token of the third line."""

    def change(text: str) -> str:
        lines = text.split("\n")
        tokens = lines[2].split(" ")
        tokens[place] = value
        lines[2] = " ".join(tokens)
        return "\n".join(lines)

    return change


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
def test_harmless_variations_of_lists_are_read(tiny: Any, file: str, change: Callable[[str], str], moved: int) -> None:
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
        pytest.param(with_token(200, "x"), r":3: 207 tokens, .*6 attributes", id="word for an attribute"),
        pytest.param(with_token(200, "2"), r":3: the attribute pose is '2', not 0 or 1", id="attribute of 2"),
        pytest.param(with_token(0, "nan"), r":3: landmark 0 x is nan, not a finite number", id="nan"),
        pytest.param(with_token(3, "1e999"), r":3: landmark 1 y is 1e999, not a finite number", id="overflow"),
        pytest.param(with_token(3, "-inf"), r":3: landmark 1 y is -inf, not a finite", id="infinite"),
        pytest.param(with_token(195, "4,5"), r":3: landmark 97 y is '4,5': write a decimal point", id="decimal comma"),
        pytest.param(with_token(195, "1_0"), r":3: landmark 97 y is '1_0', not a number", id="underscore"),
        pytest.param(with_token(195, "٣"), r":3: landmark 97 y is '٣', not a number", id="other digits"),
        pytest.param(with_token(195, "4.x"), r":3: landmark 97 y is '4\.x', not a number", id="not a number"),
        pytest.param(with_token(195, "2e6"), r":3: landmark 97 y is 2e6, beyond 1e\+06 px", id="too large"),
        pytest.param(with_token(197, "inf"), r":3: y_min of the rectangle is inf", id="rectangle"),
        pytest.param(with_token(206, "../x.jpg"), r":3: the image's path '\.\./x\.jpg' leads out", id="parent"),
        pytest.param(with_token(206, "a/../../x.jpg"), r"leads out", id="parent inside"),
        pytest.param(with_token(206, "..\\x.jpg"), r"leads out", id="parent with a backslash"),
        pytest.param(with_token(206, "/etc/passwd"), r"leads out", id="absolute"),
        pytest.param(with_token(206, "\\\\host\\x"), r"leads out", id="network share"),
        pytest.param(with_token(206, "C:/x.jpg"), r"leads out", id="drive"),
        pytest.param(
            lambda t: " ".join(reversed(t.split("\n")[4].split(" "))) + "\n" + t, "comes last", id="name in front"
        ),
        pytest.param(lambda t: "", r" is empty", id="empty"),
        pytest.param(lambda t: " \n\t\n", r" is empty", id="blank"),
        pytest.param(lambda t: "# nothing\n", r"no annotation file of a known format", id="only a comment"),
        pytest.param(lambda t: "hello world\n" + t, r"no annotation file of a known format", id="prose first"),
        pytest.param(lambda t: t[:50] + "\0" + t[50:], r"not a text file", id="zero byte"),
    ],
)
def test_wrong_lists_are_refused(tiny: Any, change: Callable[[str], str], message: str) -> None:
    tiny.edit(tiny.attr, change)
    with pytest.raises(InputError, match=message) as caught:
        datasets.load(f"wflw:{tiny.attr}")
    assert "\n" not in str(caught.value)
    assert "list_98pt_rect_attr_test.txt" in str(caught.value)


@pytest.mark.parametrize("file", ["attr", "list"])
@pytest.mark.parametrize(
    "name",
    ["1 (2).jpg", "2018 party/a.jpg", "2018 party/1 2 3.jpg", "1e5 x.jpg", "007 .jpg", "inf x.jpg", "12.jpg", "1 .x"],
)
def test_image_names_that_start_with_a_number_are_read(tiny: Any, file: str, name: str) -> None:
    tiny.edit(getattr(tiny, file), lambda text: text.replace("0--A/b.jpg", name))
    dataset = datasets.load(f"wflw:{getattr(tiny, file)}")
    assert dataset.images[1] == name
    np.testing.assert_array_equal(dataset.landmarks, tiny.landmarks)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda t: "1.000000 " + t, r":1: 199 tokens, expected 197 .*'\d+\.\d{6}' here", id="token in front"
        ),
        pytest.param(with_token(195, "4.5 5.500000"), r":3: 198 tokens, expected 197", id="token too many"),
        pytest.param(
            with_token(196, "12"), r":3: 197 tokens, expected 197 .*looks like|:3: 197 tokens", id="only a number"
        ),
    ],
)
def test_a_number_too_many_is_not_taken_for_a_name(tiny: Any, change: Callable[[str], str], message: str) -> None:
    tiny.edit(tiny.list, change)
    with pytest.raises(InputError, match=message):
        datasets.load(f"wflw:{tiny.list}")


def test_number_before_the_name_is_refused_where_coordinates_are_whole(tiny: Any) -> None:
    """It may be a coordinate too many, which would move every landmark of the line."""
    tiny.edit(tiny.list, lambda text: text.replace(" 0--A/b.jpg", " 5 0--A/b.jpg").replace(".", "", 0))
    assert datasets.load(f"wflw:{tiny.list}").images[1] == "5 0--A/b.jpg"
    lines = tiny.list.read_text().split("\n")
    lines[1] = " ".join([str(round(float(token))) for token in lines[1].split(" ")[:196]] + ["5 0--A/b.jpg"])
    tiny.list.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r":2: 198 tokens, .*the image's name can't start with '5' here"):
        datasets.load(f"wflw:{tiny.list}")
