"""Progress lines of a pipe: rate and time left, or nothing with --quiet."""

from __future__ import annotations

import io
import time

import pytest

from nmebench.cli import console, verbosity
from nmebench.stages import announce


def test_progress_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    monkeypatch.setattr(console, "monotonic", lambda: now[0])
    with console.progress() as advance:
        advance("net (pfld)", 40, 100)  # a resumed sweep begins here
        for second, done in ((5, 45), (10, 50), (11, 51), (60, 100)):
            now[0] = second
            advance("net (pfld)", done, 100)
    assert capsys.readouterr().err.splitlines() == [
        "net (pfld): 40 of 100",
        "net (pfld): 50 of 100, 1 per second, 50 s left",
        "net (pfld): 100 of 100, 1 per second",
    ]


def test_stages_of_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each kind of stage, however many networks are loaded."""
    with console.progress() as advance:
        for what in ("reading wflw:PATH", "loading net@1", "loading net@2", "storing and scoring the run"):
            announce(what)
        advance("net", 0, 1)
    announce("reading nothing")
    lines = ["reading wflw:PATH ...", "loading net@1 ...", "storing and scoring the run ...", "net: 0 of 1"]
    assert capsys.readouterr().err.splitlines() == lines


def test_stages_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with console.progress() as advance:
        announce("hashing 119 photographs")
        time.sleep(0.15)
        advance("net", 1, 2)
    shown = terminal.getvalue()
    assert "hashing 119 photographs" in shown
    assert shown.rindex("net") > shown.rindex("hashing")


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert verbosity.without_options(["run", "--quiet"]) == ["run"]
        with console.progress() as advance:
            advance("net", 0, 10)
    finally:
        verbosity.without_options([])
    assert capsys.readouterr().err == ""


def test_arguments_after_two_hyphens_are_kept() -> None:
    assert verbosity.without_options(["-v", "score", "--", "-v"]) == ["score", "--", "-v"]
    assert verbosity.is_verbose()
    assert verbosity.without_options([]) == []
    assert not verbosity.is_verbose()
