"""Runs a tutorial: writes its files, runs its commands and compares their output with that on the page.

The blocks of a page, in order:

* a block with ``title="NAME"`` is a file;
* a block ``sh`` holds commands; ``# exit code 1`` after a command is its exit code, by default 0;
* a block ``text`` right after it is the output of its last command. ``...`` stands for any text, alone in a line
  for any lines, and a number may differ by 3 %, as between processors;
* a block ``pycon`` is a doctest;
* ``<!-- not run: REASON -->`` before a block leaves it out. Other blocks are illustrations.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nmebench.__main__ import main

BLOCK = re.compile(
    r"(?P<skip><!-- not run: (?P<reason>.+?) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>\w+)(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str
    text: str
    skipped: str
    """The reason for which it isn't run; empty if it is."""
    line: int


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    content = page.read_text(encoding="utf-8")
    return [
        Block(
            match["language"],
            title[1] if (title := re.search(r'title="([^"]+)"', match["info"])) else "",
            re.sub(rf"(?m)^{match['indent']}", "", match["text"]),
            match["reason"] or "",
            content.count("\n", 0, match.start("language")) + 1,
        )
        for match in BLOCK.finditer(content)
    ]


def commands(text: str) -> Iterator[tuple[str, int]]:
    """The commands of a block with their exit codes."""
    for line in text.replace("\\\n", " ").splitlines():
        command, _, comment = line.partition("  #")
        if command.strip() and not command.startswith("#"):
            code = re.search(r"exit code (\d+)", comment)
            yield command.strip(), int(code[1]) if code else 0


def same(expected: str, actual: str) -> bool:
    """Return whether an output is the expected one."""
    pattern = []
    numbers = []
    for line in expected.strip().splitlines():
        if line.strip() == "...":
            pattern.append(r"(?:.*\n)*?")
            continue
        parts = []
        for word in line.split():
            pieces = re.split(r"(\.\.\.|[-+]?\d+(?:\.\d+)?)", word)
            for piece in pieces:
                if piece == "...":
                    parts.append(".*?")
                elif NUMBER.fullmatch(piece):
                    parts.append(rf"({NUMBER.pattern})")
                    numbers.append(float(piece))
                else:
                    parts.append(re.escape(piece))
            parts.append(" ")
        pattern.append("".join(parts[:-1]) + r"\n")
    text = "".join(" ".join(line.split()) + "\n" for line in actual.strip().splitlines())
    match = re.fullmatch("".join(pattern), text)
    found = [float(number) for number in match.groups()] if match else []
    return bool(match) and all(abs(a - b) <= 0.03 * abs(b) + 1e-9 for a, b in zip(found, numbers, strict=True))


@dataclass(frozen=True)
class Tutorial:
    """A page that is run in a folder."""

    page: Path
    folder: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    special: dict[str, Callable[[Path], None]]
    """Commands that the test replaces, such as the drawing of the faces, which all pages share."""

    def run(self) -> int:
        """Run the page; the number of commands that ran."""
        self.monkeypatch.chdir(self.folder)
        count, output = 0, ""
        for block in blocks(self.page):
            place = f"{self.page.name}:{block.line}"
            if block.skipped:
                output = ""
                continue
            if block.title:
                path = self.folder / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
            elif block.language == "sh":
                for command, code in commands(block.text):
                    actual, output, errors = self.call(command)
                    assert actual == code, f"{place}: {command}: exit code {actual}\n{output}\n{errors}"
                    count += 1
                continue
            elif block.language == "text":
                assert same(block.text, output), f"{place}: expected\n{block.text}\nprinted\n{output}"
            elif block.language == "pycon":
                test = doctest.DocTestParser().get_doctest(block.text, {}, place, str(self.page), block.line)
                assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0, place
                count += 1
            output = ""
        return count

    def call(self, command: str) -> tuple[int, str, str]:
        """Exit code, output and errors of a command; ``nmebench`` runs in this process, which saves the imports."""
        if command in self.special:
            self.special[command](self.folder)
            return 0, "", ""
        words = shlex.split(command)
        if words[0] == "nmebench" and not {"|", ">", "&&"} & set(words):
            self.capsys.readouterr()
            code = main(words[1:])
            captured = self.capsys.readouterr()
            return code, captured.out, captured.err
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "PYTHONPATH": str(self.folder / "installed")}
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr


def install(folder: Path) -> None:
    """Do what ``pip install --editable .`` does, into the folder ``installed`` instead of the environment."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    place = folder / "installed"
    record = place / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = (f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in them.items()) for group, them in groups)
    (record / "entry_points.txt").write_text("".join(lines))
    modules = [path for path in folder.glob("*.py") if not path.name.startswith(("test_", "conftest"))]
    for module in modules:
        (place / module.name).write_text(module.read_text())
    (record / "RECORD").write_text("".join(f"{module.name},,\n" for module in modules))
