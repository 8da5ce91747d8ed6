"""SIGINT and SIGTERM while a command writes: its own exit code, one line, no half-written file, and the same command
again ends like an uninterrupted one. Sweeps are interrupted in tests/system.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench.gates import make_baseline
from nmebench.runs.run_store import Run

Call = Callable[..., Any]
CELL = ("net", "dark", "flip+shift", "landmarks")
COMMANDS = {
    "score predictions": "score {0}/p.npz --data landmarks:{0}/t.npz -o {0}/new",
    "score a run": "score {0}/run",
    "report": "report {0}/run -o {0}/report.html",
    "check": "check {0}/run --no-explain",
    "gate": "gate {0}/run --baseline {0}/baseline.json --junit {0}/junit.xml",
    "gate --update": "gate {0}/run --baseline {0}/baseline.json --update",
    "compare": "compare {0}/run {0}/other -o {0}/compare.html",
    "data add": "data add {0}/net.pth --name net --cache {0}/cache",
}
SOURCES = """
[sources.net]
file = "net.pth"
url = "https://example.org/net.pth"
max_bytes = 1000
licence = "none"
"""


@pytest.fixture
def folder(tmp_path: Path, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, a baseline, predictions and a file of weights."""
    for name in ("run", "other"):
        run = make_run({CELL: 4.0}, name=f"all/{name}")
    make_baseline(run).write(tmp_path / "all/baseline.json")
    truth = np.random.default_rng(0).uniform(0, 200, (5, 98, 2))
    np.savez(tmp_path / "all/t.npz", landmarks=truth)
    np.savez(tmp_path / "all/p.npz", landmarks=truth + 1)
    (tmp_path / "all/net.pth").write_bytes(b"x" * 100)
    (tmp_path / "sources.toml").write_text(SOURCES)
    monkeypatch.setenv("NMEBENCH_SOURCES", str(tmp_path / "sources.toml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "all"


def content(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and ".lock" not in path.name)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", COMMANDS)
def test_interrupted_command(nmebench: Call, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes when a file is open for writing and holds nothing yet."""
    original = folder.with_name("original")
    shutil.copytree(folder, original)
    before = content(folder)
    command = COMMANDS[name].format(folder).split()
    written: list[int] = []
    fdopen = os.fdopen
    sent: signal.Signals | None = None
    at = 0

    def interrupted(descriptor: int, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if "w" in mode:
            written.append(descriptor)
            if len(written) == at and sent is not None:
                os.kill(os.getpid(), sent)
        return fdopen(descriptor, mode, *arguments, **options)

    monkeypatch.setattr(os, "fdopen", interrupted)
    code = nmebench(*command).code
    complete = content(folder)
    count = len(written)
    assert count > 0
    assert code in (0, 1, 3)
    # All writes of a command are alike, so at most four are interrupted: the first ones and the last ones.
    for at in sorted({1, 2, count - 1, count} & set(range(1, count + 1))):
        sent = signal.SIGTERM if at % 2 else signal.SIGINT
        shutil.rmtree(folder)
        shutil.copytree(original, folder)
        written.clear()
        result = nmebench(*command)
        assert result.code == 128 + sent, (at, result.err)
        assert result.error_line.endswith("run the same command again to resume")
        for file, digest in content(folder).items():
            assert digest in (before.get(file), complete.get(file)) or ".work/" in file, (at, file)
        assert before.keys() <= content(folder).keys()
        sent = None
        assert nmebench(*command).code == code
        assert content(folder) == complete, at
