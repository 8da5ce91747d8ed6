"""Numbers and image names of annotation files."""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmebench.datasets.readers import fields
from nmebench.errors import InputError


@settings(max_examples=200, deadline=None)
@given(name=st.text(max_size=30))
def test_no_accepted_image_name_leads_out_of_the_folder(name: str) -> None:
    accepted = "inside"
    message = "x"
    try:
        accepted = fields.image_name(name, "file:1")
    except InputError as error:
        message = str(error)
    assert os.path.normpath(os.path.join("root", accepted)).startswith("root")  # noqa: PTH118
    assert message.isprintable()


@pytest.mark.parametrize("tokens", [("1", "-2.5"), (1, -2.5), ("1e0", "-25e-1")], ids=["text", "numbers", "exponents"])
def test_numbers_are_parsed(tokens: tuple[object, ...]) -> None:
    assert fields.parse_numbers(tokens, "file:1", ("x", "y")) == [1.0, -2.5]


@pytest.mark.parametrize(
    ("token", "message"),
    [
        pytest.param("1_0.5", "y is '1_0.5', not a number", id="underscore"),
        pytest.param("٣", "y is '٣', not a number", id="other digits"),
        pytest.param("2,5", "y is '2,5': write a decimal point, not a comma", id="decimal comma"),
        pytest.param("nan", "y is nan, not a finite number", id="nan"),
        pytest.param(10**400, "not a finite number", id="huge integer"),
        pytest.param(True, "y is True, not a number", id="boolean"),
        pytest.param(None, "y is None, not a number", id="null"),
        pytest.param("2e6", r"y is 2e6, beyond 1e\+06 px", id="too large"),
    ],
)
def test_other_values_are_refused(token: object, message: str) -> None:
    with pytest.raises(InputError, match=f"file:1: .*{message}"):
        fields.parse_numbers(("1", token), "file:1", ("x", "y"))


def test_limit_of_numbers_can_be_lifted() -> None:
    assert fields.parse_numbers(["2e6"], "file:1", ["x"], limit=math.inf) == [2e6]
    with pytest.raises(InputError, match="not a finite number"):
        fields.parse_numbers(["inf"], "file:1", ["x"], limit=math.inf)
