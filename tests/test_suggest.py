"""Hints for misspelt names."""

from __future__ import annotations

import pytest

from nmebench.suggest import did_you_mean, unknown

ALLOWED = ["argmax", "dark", "dark-udp", "WFLW"]


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        pytest.param("drak", "dark", id="swapped-letters"),
        pytest.param("argmx", "argmax", id="missing-letter"),
        pytest.param("dark_udp", "dark-udp", id="underscore"),
        pytest.param("DARK", "dark", id="upper-case"),
        pytest.param("wflw", "WFLW", id="allowed-word-in-upper-case"),
    ],
)
def test_nearest_word_is_suggested_as_it_is_spelt(word: str, nearest: str) -> None:
    assert did_you_mean(word, ALLOWED) == f"; did you mean {nearest!r}?"


@pytest.mark.parametrize(
    ("word", "allowed"),
    [
        pytest.param("xyzzy", ALLOWED, id="far"),
        pytest.param("", ALLOWED, id="empty-word"),
        pytest.param("dark", [], id="nothing-allowed"),
    ],
)
def test_no_suggestion_where_nothing_is_near(word: str, allowed: list[str]) -> None:
    assert did_you_mean(word, allowed) == ""


def test_unknown_names_the_word_the_nearest_and_all_allowed() -> None:
    assert unknown("decoder", "drak", iter(ALLOWED)) == (
        "unknown decoder 'drak'; did you mean 'dark'? (known: argmax, dark, dark-udp, WFLW)"
    )


def test_unknown_without_any_allowed_name() -> None:
    assert unknown("decoder", "dark", []) == "unknown decoder 'dark' (known: none)"


def test_unknown_is_one_line_for_a_word_with_a_newline() -> None:
    assert "\n" not in unknown("decoder", "da\nrk", ALLOWED)
