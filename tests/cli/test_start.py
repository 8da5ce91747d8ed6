"""A process of the command line collects no garbage while it imports and when it exits; a call from Python may."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from nmebench import __main__ as start


@pytest.fixture
def collector() -> Iterator[None]:
    """Restores the garbage collector."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_a_process_freezes_its_objects_and_keeps_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, collector: None
) -> None:
    thresholds: list[int] = []

    def command() -> int:
        thresholds.append(gc.get_threshold()[0])
        return 3

    monkeypatch.setattr(start, "main", command)
    assert (start.program(), gc.get_freeze_count() > 0) == (3, True)
    assert thresholds[0] > 10_000


def test_a_call_leaves_the_collector_alone(capsys: pytest.CaptureFixture[str]) -> None:
    before = gc.get_threshold(), gc.get_freeze_count(), gc.isenabled()
    assert start.main(["list", "boxes"]) == 0
    assert capsys.readouterr().out
    assert (gc.get_threshold(), gc.get_freeze_count(), gc.isenabled()) == before


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        ("--help", "numpy pandas pyarrow torch"),
        ("list boxes", "pandas torch timm scipy"),
        ("check --help", "numpy pandas pyarrow torch"),
    ],
)
def test_a_command_imports_what_it_needs(arguments: str, unused: str) -> None:
    code = (
        f"import sys; from nmebench.__main__ import main; code = main({arguments.split()!r}); "
        f"sys.exit(code or ' '.join({set(unused.split())!r} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
