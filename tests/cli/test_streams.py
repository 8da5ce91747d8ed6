"""Closed streams, readers that leave and an ASCII terminal change neither the exit code nor the stored files."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nmebench.runs.run_store import Run


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command; its exit code is that of nmebench, also in front of a pipe."""
    nmebench = f"{shlex.quote(sys.executable)} -m nmebench"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("nmebench", nmebench, 1)],
        capture_output=True, text=True, check=False, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("redirection", "code"),
    [
        pytest.param(">&-", 1, id="stdout-closed"),
        pytest.param("2>&-", 1, id="stderr-closed"),
        pytest.param(">&- 2>&- <&-", 1, id="all-closed", marks=pytest.mark.slow),
        pytest.param("| true", 1, id="reader-left"),
        pytest.param("2>&1 | true", 1, id="reader-of-both-left", marks=pytest.mark.slow),
        pytest.param("> /dev/full", 2, id="full-disk"),
    ],
)
def test_deviation_keeps_its_exit_code(make_reported_run: Callable[..., Run], redirection: str, code: int) -> None:
    run = make_reported_run(3.0, kind="score")
    ended = shell(f"nmebench check {shlex.quote(str(run.path))} {redirection}")
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False), ended.stderr
    assert Run.open(run.path).read_json("verdict.json")["exit_code"] == 1
    assert {file.name for file in run.path.iterdir()} == {
        "run.json", "faces.parquet", "per_face.parquet", "scores.csv", "diverged.json", "verdict.json", "landmarks",
        "confidence",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("redirection", [">&-", "2>&-", "| head -1"])
def test_scores_are_stored(wflw: Path, tmp_path: Path, redirection: str) -> None:
    out = shlex.quote(str(tmp_path / "run"))
    ended = shell(f"nmebench run --data wflw:{wflw} --model oracle --decoder argmax -o {out} {redirection}")
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    assert (tmp_path / "run/scores.csv").is_file()


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"PYTHONIOENCODING": "ascii"}, id="ascii"),
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0"}, id="C-locale", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", ["größe ✓", "b\udcffd"], ids=["not-ascii", "not-utf-8"])
def test_path_that_the_terminal_cannot_show(
    make_reported_run: Callable[..., Run], environment: dict[str, str], name: str
) -> None:
    run = make_reported_run(4.0, name=name)
    path = shlex.quote(str(run.path))
    ended = shell(f"nmebench report {path}", **{"LC_ALL": "C.UTF-8", **environment})
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    ended = shell(f"nmebench report {path}x", **{"LC_ALL": "C.UTF-8", **environment})
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr


def test_fault_of_the_program_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A crash must not look like exit code 1, which says that a number deviates."""
    from nmebench.__main__ import FAULT, main
    from nmebench.cli import entry

    def crash(_: object) -> int:
        raise AssertionError("a planted fault")

    monkeypatch.setattr(entry, "main", crash)
    assert main(["check", "RUN"]) == FAULT
    assert "Traceback" in capsys.readouterr().err
