"""Help texts: every value of an option, examples, and the help without arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from nmebench import engines
from nmebench.cli.option_help import ENGINE, NORMALISER
from nmebench.geometry import scheme
from nmebench.protocol import FLIPS

Call = Callable[..., Any]


@pytest.mark.parametrize("arguments", [[], ["list"], ["data"], ["card"]])
def test_without_arguments_the_help_is_printed(nmebench: Call, arguments: list[str]) -> None:
    result = nmebench(*arguments)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage: nmebench")


def test_texts_name_every_value() -> None:
    assert set(re.findall(r"[a-z]+", ENGINE)) == {*engines.names(), "or"}
    normalisers = {name for one in scheme.names() for name in scheme.load(one).normalisers}
    assert set(re.findall(r"[a-z]+(?:-[a-z]+)+", NORMALISER)) == normalisers


@pytest.mark.parametrize("command", ["run", "score"])
def test_options_name_every_value(nmebench: Call, command: str) -> None:
    text = "".join(nmebench(command, "--help").out.split())
    for words in (NORMALISER, ", ".join(FLIPS)):
        assert "".join(words.split()) in text


@pytest.mark.parametrize("command", ["compare", "score", "check", "train"])
def test_examples_keep_their_lines(nmebench: Call, command: str) -> None:
    lines = nmebench(command, "--help").out.splitlines()
    assert any(line.startswith(f"    nmebench {command} ") for line in lines)


def test_lists(nmebench: Call) -> None:
    for name, word in (("recipes", "synthface-short"), ("engines", "openvino"), ("normalisers", "inter-ocular")):
        result = nmebench("list", name)
        assert (result.code, word in result.out) == (0, True)
