"""Every command of the app: JSON that other programs can read, and a snapshot at 60, 80 and 120 columns and in a pipe.

The commands come from the app itself, so a new one fails here until ``tests/support/command_cases.py`` has its line.
After a change that is wanted: ``python -m pytest tests/cli/test_every_command.py --snapshot-update``.
"""

from __future__ import annotations

import io
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from command_cases import CASES, PREPARE, WITHOUT_JSON, commands, make_folder
from load_module import load_module

from nmebench import bench, fetch, reports, reproduction, synthface
from nmebench.__main__ import main
from nmebench.cli import console, reproduce, scores_table
from nmebench.cli.result_table import ResultTable
from nmebench.runs.run_store import Run

WIDTHS = (60, 80, 120, None)
COMMANDS = dict(commands())
DIGITS = re.compile(r"\d")
NUMBER = re.compile(r"[-+(\[]*\d[\d.,e+-]*[%,;:)\]]*")


class Terminal(io.StringIO):
    """Standard output of a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the calls read, with a finished training and a history."""
    folder = tmp_path_factory.mktemp("template")
    shared = load_module("conftest.py")
    make_folder(folder, shared.write_run, shared.face_table())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NMEBENCH_CACHE", "cache")
        for line in PREPARE:
            assert main(line.split()) == 0, line
    return folder


@pytest.fixture
def call(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """A function ``(line, width) -> (code, output, printed tables and lines)``; each call has the same folder."""
    _replace_measurements(monkeypatch)
    printed: list[ResultTable | str] = []
    original = console.Output.print

    def record(self: console.Output, item: ResultTable | str) -> None:
        printed.append(item)
        original(self, item)

    monkeypatch.setattr(console.Output, "print", record)

    def run(line: str, width: int | None = None) -> tuple[int, str, list[ResultTable | str]]:
        folder = tmp_path / "folder"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        printed.clear()
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("COLUMNS", str(width or 500))
            terminal = Terminal()
            if width is not None:
                patch.setattr("sys.stdout", terminal)
            code = main(line.split())
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err, captured.err
        assert code in (0, 1, 3), captured.err
        return code, captured.out if width is None else terminal.getvalue(), list(printed)

    return run


def _replace_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put stored values in place of times, downloads, pages, large sweeps and the engines of this machine."""
    monkeypatch.setenv("NMEBENCH_CACHE", "cache")
    monkeypatch.setenv("NMEBENCH_SOURCES", "sources.toml")
    monkeypatch.delenv("NMEBENCH_WFLW", raising=False)
    monkeypatch.setattr(
        scores_table, "print_time", lambda _run: console.console().print("time: 1.0 s, 2.0 ms per face")
    )
    stages = [bench.TimedStage("crop", "one face", 0.1234), bench.TimedStage("network", "one face", 12.345)]
    monkeypatch.setattr(bench, "measure_limits", lambda _threads: SimpleNamespace(gflops=100.0, copy_gbs=10.0))
    monkeypatch.setattr(bench, "measure_stages", lambda **_options: stages)
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: 4)
    monkeypatch.setattr(fetch, "fetch", lambda name, **_options: Path("cache") / name)
    added = fetch.add
    monkeypatch.setattr(fetch, "add", lambda *given, **options: added(*given, **options).relative_to(Path.cwd()))
    monkeypatch.setattr(fetch, "manual_downloads", lambda _name: ("rectangles: download them from the authors' page",))
    monkeypatch.setattr("nmebench.engines.available", lambda: {"torch": True, "openvino": True, "cuda": False})
    monkeypatch.setattr(reports, "write", lambda _run, out, **_options: out)
    monkeypatch.setattr(synthface, "cached", lambda **_options: Path("synthface-500"))
    monkeypatch.setattr(reproduce, "_sweep", lambda *_arguments, **_options: Run.open(Path("run")))
    monkeypatch.setattr(reproduction, "read_expected", lambda _names: [])


def test_every_command_has_a_case() -> None:
    assert set(COMMANDS) == set(CASES), "add the call of a new command to tests/support/command_cases.py"


@pytest.mark.parametrize("name", COMMANDS)
def test_json(call: Any, name: str) -> None:
    """The output is one JSON document with its version and kind, and nothing else."""
    options = [option for parameter in COMMANDS[name].params for option in parameter.opts]
    if name in WITHOUT_JSON:
        assert "--json" not in options
        return
    assert "--json" in options, f"nmebench {name} needs the option --json (nmebench.cli.json_output), or a reason"
    _, out, _ = call(f"{CASES[name]} --json")
    value = json.loads(out, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert value["schema_version"] >= 1
    assert value["kind"].startswith("nmebench ")
    assert len(value) > 2
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", key) for key in value), list(value)


@pytest.mark.parametrize("name", COMMANDS)
def test_widths(call: Any, name: str, snapshot: Any) -> None:
    """No width breaks a number, a column is there with all its numbers or not at all, and a pipe has no padding."""
    codes = set()
    for width in WIDTHS:
        code, out, printed = call(CASES[name], width)
        codes.add(code)
        assert all(line == line.rstrip() for line in out.splitlines()), out
        for line in out.splitlines():
            assert_not_torn(line, width)
        assert_complete(printed, out)
        assert out == snapshot(name="pipe" if width is None else str(width))
    assert len(codes) == 1


def assert_not_torn(line: str, width: int | None) -> None:
    """Where a terminal breaks a line that is too long, there is a word such as a path, and no number."""
    for end in range(width or len(line) + 1, len(line), width or 1):
        word = re.search(r"\S*$", line[:end])[0] + re.match(r"\S*", line[end:])[0]  # type: ignore[index]
        assert len(word) > 20, f"{len(line)} characters: {line}"
        assert not NUMBER.fullmatch(word), line


def assert_complete(printed: list[ResultTable | str], out: str) -> None:
    """Every word with a digit is printed as a whole, except in columns that a line below the table names."""
    words = Counter(out.split())
    left_out = {
        name for names in re.findall(r"\(without ([^;]+);", " ".join(out.split())) for name in names.split(", ")
    }
    for item in printed:
        if isinstance(item, str):
            wanted = Counter(dict.fromkeys(filter(DIGITS.search, item.split()), 1))
        else:
            kept = [column for column, name in enumerate(item.columns) if name not in left_out]
            numeric = [column for column in kept if item._is_number(column)]
            wanted = Counter(word for row in item.rows for column in numeric for word in row[column].split())
            texts = [word for row in item.rows for column in kept for word in row[column].split()]
            wanted |= Counter(dict.fromkeys(filter(DIGITS.search, texts), 1))
        assert wanted <= words, wanted - words


def test_a_broken_number_is_found() -> None:
    """The faults that the two functions above are for."""
    table = ResultTable("", ("name", "NME"))
    table.add_row("net", "5.285")
    assert_complete([table], "name  NME\nnet   5.285\n")
    for out in ("name  NME\nnet   5.28\n      5\n", "name  NM\nnet   5.2…\n", "name\nnet\n"):
        with pytest.raises(AssertionError):
            assert_complete([table], out)
    with pytest.raises(AssertionError):
        assert_complete(["3 of 1234"], "3 of 12\n34")
    assert_complete([table], "name\nnet\n(without NME; --verbose shows every column)\n")
    with pytest.raises(AssertionError):
        assert_not_torn("net   " + 9 * "x" + "   12345.678", 20)
    assert_not_torn("/a/long/path/to/some/run/of/a/network/5.285", 20)
