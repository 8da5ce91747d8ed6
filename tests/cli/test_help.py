"""Help texts: every value of an option, examples that the program takes, and the help without arguments."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
import typer
from command_cases import commands

from nmebench import engines
from nmebench.cli import completion, verbosity
from nmebench.cli.entry import app
from nmebench.cli.option_help import ENGINE, NORMALISER
from nmebench.geometry import scheme
from nmebench.protocol import FLIPS

Call = Callable[..., Any]

COMMANDS = dict(commands())
GROUPS = ["", "list", "data", "card", "history"]


@pytest.mark.parametrize("arguments", [[], ["list"], ["data"], ["card"], ["history"]])
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


#: Arguments whose values are parts of a stored run, which the program lists when one is wrong.
OF_A_RUN = {("tables", name) for name in ("model", "decoder", "box")}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_names_its_values_or_their_list(command: str) -> None:
    """The values are those that the shell completes."""
    for parameter in COMMANDS[command].params:
        values = completion.values_of(command, parameter.name)
        if values is None or getattr(parameter, "is_flag", False) or (command, parameter.name) in OF_A_RUN:
            continue
        text = parameter.help or ""
        words = set(re.findall(r"[\w+-]+(?: party)?", text))
        missing = [value for value in values() if value.rstrip(":") not in words]
        assert not missing or "`nmebench list " in text, (parameter.opts, missing, text)


def examples(text: str) -> list[str]:
    """The lines below ``Examples:`` of a help text."""
    lines = text.partition("\n  Examples:\n")[2].partition("\n\n")[0].splitlines()
    return [line.strip() for line in lines]


@pytest.mark.parametrize("command", [*GROUPS, *COMMANDS])
def test_examples(nmebench: Call, command: str) -> None:
    """Every help has examples, each on one line of 80 characters, that the parser takes."""
    lines = examples(nmebench(*command.split(), "--help").out)
    assert lines, f"nmebench {command} --help has no examples"
    root = typer.main.get_command(app)
    called: list[Any] = []
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "nmebench", f"broken line: {line}"
        _replace_callbacks(root, called)
        root.main(verbosity.without_options(arguments), prog_name="nmebench", standalone_mode=False)  # type: ignore[attr-defined]
    verbosity.without_options([])
    assert len(called) == len(lines)
    assert any(line.startswith(f"nmebench {command}".strip()) for line in lines)


def _replace_callbacks(command: Any, called: list[Any]) -> None:
    """Let every command note its arguments instead of running."""
    for inner in getattr(command, "commands", {}).values():
        _replace_callbacks(inner, called)
    if not hasattr(command, "commands"):
        command.callback = lambda **arguments: called.append(arguments)


def test_lists(nmebench: Call) -> None:
    for name, word in (
        ("recipes", "synthface-short"), ("engines", "openvino"), ("normalisers", "inter-ocular"),
        ("benchmarks", "300-W"), ("schemes", "wflw98"), ("mappings", "ibug68"), ("boxes", "landmarks"),
        ("formats", "hrnet-csv"), ("downloads", "wflw"),
    ):  # fmt: skip
        result = nmebench("list", name)
        assert (result.code, word in result.out) == (0, True)
