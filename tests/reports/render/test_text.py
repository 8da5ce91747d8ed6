"""Printable fields, numbers and sentences."""

from __future__ import annotations

import pytest

from nmebench.reports.render.text import (
    display,
    number,
    p_value,
    prose,
    sentence_list,
    signed,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("a\x1b[31mb\x00\n", "a\\x1b[31mb\\x00\\x0a", id="control characters"),
        pytest.param("caf\udce9.jpg", "caf\\xe9.jpg", id="a byte that is not UTF-8"),
        pytest.param("\ud800", "\\ud800", id="a lone surrogate"),
        pytest.param("א\u202eב 🙂", "א\u202eב 🙂", id="right to left and four bytes stay"),
        pytest.param(b"a\xff", "a\\xff", id="bytes"),
        pytest.param(12, "12", id="a number"),
    ],
)
def test_display_escapes(value: object, shown: str) -> None:
    assert display(value) == shown
    display(value).encode("utf-8")


def test_display_cuts_with_a_note() -> None:
    text = display("x" * 10_000_000, limit=50)
    assert text == "x" * 50 + "… (cut, 10000000 characters)"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(3.14159, "3.14"), (None, "–"), (float("nan"), "–"), ("", "–"), (float("inf"), "–"), (0, "0.00")],
)
def test_number(value: object, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.5, "+0.50"), (-0.5, "−0.50"), (-0.001, "0.00"), (None, "–")])
def test_signed(value: object, shown: str) -> None:
    assert signed(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.0004, "< 0.001"), (0.04, "0.040"), (float("nan"), "–"), (1, "1.000")])
def test_p_value(value: float, shown: str) -> None:
    assert p_value(value) == shown


def test_lists() -> None:
    assert sentence_list(["a", "b", "c"]) == "a, b and c"
    assert sentence_list([]) == ""


def test_prose_escapes_and_marks_code() -> None:
    assert prose("run `nmebench <b>` & wait") == "run <code>nmebench &lt;b&gt;</code> &amp; wait"
