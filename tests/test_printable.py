"""File names as one printable line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmebench.printable import markdown_cell, shown


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("a face.jpg", "a face.jpg", id="plain"),
        pytest.param("d\u00e9j\u00e0 \u4eba\u8138.jpg", "d\u00e9j\u00e0 \u4eba\u8138.jpg", id="letters-of-any-script"),
        pytest.param(Path("a/b.jpg"), "a/b.jpg", id="path"),
        pytest.param("two\nlines\t.jpg", r"two\nlines\t.jpg", id="control-characters"),
        pytest.param("\x1b[31mred.jpg", r"\x1b[31mred.jpg", id="terminal-escape"),
        pytest.param("gpj.\u202ecat.jpg", r"gpj.\u202ecat.jpg", id="right-to-left-override"),
        pytest.param(os.fsdecode(b"caf\xe9.jpg"), r"caf\xe9.jpg", id="bytes-that-are-not-utf-8"),
        pytest.param("\ud800.jpg", r"\ud800.jpg", id="lone-surrogate-of-a-json-file"),
    ],
)
def test_name_is_one_printable_line(name: str | Path, text: str) -> None:
    assert shown(name) == text


@given(st.text(st.characters(exclude_categories=())))
def test_any_name_is_printable_and_encodable(name: str) -> None:
    assert shown(name).isprintable()
    shown(name).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        pytest.param("net, dark", "net, dark", id="plain"),
        pytest.param("a|b", r"a\|b", id="column-separator"),
        pytest.param("<script>", r"\<script\>", id="html"),
        pytest.param("net__dark*`x`[y]", r"net\_\_dark\*\`x\`\[y\]", id="markup"),
        pytest.param("two\nlines", "two lines", id="newline"),
    ],
)
def test_markdown_cell(text: str, cell: str) -> None:
    assert markdown_cell(text) == cell
