"""Completion: the words that a shell gets, by the protocol of its script, and once in a real bash."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_cases import commands

from nmebench import boxes, decoders, engines, models
from nmebench.cli import completion
from nmebench.geometry import scheme
from nmebench.models import card
from nmebench.protocol import FLIPS
from nmebench.training import recipe

Call = Callable[..., Any]


@pytest.fixture
def complete(nmebench: Call, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """A function that completes the last word of a line, as bash's script does."""

    def call(line: str) -> list[str]:
        monkeypatch.setenv(completion.VARIABLE, "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        result = nmebench()
        assert (result.code, result.err) == (0, "")
        return result.out.split("\n")[:-1] if result.out.strip() else []

    return call


def test_commands_and_options(complete: Callable[[str], list[str]]) -> None:
    assert complete("nmebench hi") == ["history"]
    assert complete("nmebench history bi") == ["bisect"]
    assert complete("nmebench -v score --norm") == ["--normaliser"]
    assert "--json" in complete("nmebench list decoders -q --")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run --decoder ", [*decoders.names(), "all"]),
        ("run --model ", [*card.shipped(), *models.names()]),
        ("run --engine ", ["auto", *(name for name in engines.names() if name != "auto")]),
        ("run --box ", boxes.names()),
        ("score --test-time ", FLIPS),
        ("run --scheme ", scheme.names()),
        ("train ", recipe.shipped()),
        ("run --data 300", ["300w:", "300w-private:"]),
        ("run --format hrnet", ["hrnet-csv"]),
        ("score --normaliser inter-", ["inter-ocular", "inter-pupil"]),
        ("data fetch cofw68-", ["cofw68-annotations"]),
        ("list published --kind th", ["third party"]),
        ("card probe mmpose-resnet50-w", ["mmpose-resnet50-wing"]),
        ("run -v --decoder dark -q --decoder dark-", ["dark-udp"]),
        ("check ", []),
        ("run --limit ", []),
    ],
)
def test_values(complete: Callable[[str], list[str]], line: str, expected: list[str]) -> None:
    assert complete(f"nmebench {line}") == list(expected)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(nmebench: Call, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    monkeypatch.setenv(completion.VARIABLE, f"complete_{shell}")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "nmebench run --decoder dark-u")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    result = nmebench()
    assert (result.code, "dark-udp" in result.out) == (0, True)


def test_every_text_has_values_or_is_free() -> None:
    """A new option with a text needs its values in nmebench.cli.completion, or a place in FREE_TEXT."""
    for command, click_command in commands():
        for parameter in click_command.params:
            annotation = str(getattr(getattr(parameter, "type_descriptor", None), "annotation", ""))
            if "str" in annotation.lower() and completion.values_of(command, parameter.name) is None:
                assert parameter.name in completion.FREE_TEXT, f"{command}: {parameter.name}"


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is missing")
def test_bash(tmp_path: Path) -> None:
    """The script that --show-completion prints, in a bash that runs the program."""
    program = tmp_path / "nmebench"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m nmebench "$@"\n')
    program.chmod(0o755)
    script = f"""
        PATH={tmp_path}:$PATH
        export _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1
        eval "$(nmebench --show-completion bash)"
        unset _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION
        complete -p nmebench
        COMP_WORDS=(nmebench run --decoder dark-); COMP_CWORD=3
        _nmebench_completion nmebench
        echo "${{COMPREPLY[*]}}"
    """
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-2:] == ["complete -o default -F _nmebench_completion nmebench", "dark-udp"], done
