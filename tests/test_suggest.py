"""Hints for misspelt names."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmebench.suggest import did_you_mean, similar_path, unknown

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


@pytest.mark.parametrize(
    ("missing", "existing"),
    [
        pytest.param("WFLW/test set", "wflw/test_set", id="case-and-separator"),
        pytest.param("Gesichter/Mu\u0308ller", "Gesichter/M\u00fcller", id="NFD"),
        pytest.param("a/b/C", "a/b/c", id="last-part"),
    ],
)
def test_path_that_is_spelled_otherwise(tmp_path: Path, missing: str, existing: str) -> None:
    (tmp_path / existing).mkdir(parents=True)
    assert similar_path(tmp_path / missing) == f"; did you mean {str(tmp_path / existing)!r}?"


@pytest.mark.parametrize("missing", ["other", "AB/x", "file/x", "x" * 300, "a-b"])
def test_path_without_one_similar(tmp_path: Path, missing: str) -> None:
    """Nothing is similar, two are, a file is no folder, a name is too long."""
    for name in ("ab", "Ab", "A_b", "a b"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("")
    assert similar_path(tmp_path / missing) == ""
