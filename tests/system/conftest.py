"""Fixtures: the command line in its own process, small input files, and a local server instead of the network."""

from __future__ import annotations

import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from load_module import load_module

ROOT = Path(__file__).resolve().parents[2]


play = load_module("fetch/server.py")
faults = load_module("fetch/faults.py")


@pytest.fixture(name="play")
def play_fixture() -> ModuleType:
    return play


@pytest.fixture
def server() -> Iterator[Any]:
    with play.running() as running:
        yield running


@dataclass(frozen=True)
class World:
    """Drawn faces in WFLW's layout, and a network with random weights in mmpose 0.x's format."""

    data: Path
    """8 faces."""
    many: Path
    """96 lines for the same 8 photographs, for a sweep that takes seconds."""
    weights: bytes
    card: Path
    """A model card with its weights in the same folder."""


def mmpose0_checkpoint(seed: int = 0) -> bytes:
    """HRNetV2-W18 with random weights, saved as mmpose 0.x saved it."""
    import torch

    from nmebench import models

    torch.manual_seed(seed)
    network = models.create("hrnetv2-w18")
    state = network.state_dict()
    (naming,) = (naming for naming in network.namings if naming.name == "mmpose 0.x")
    theirs = {}
    for key, value in state.items():
        for prefix, ours in naming.prefixes:
            if key.startswith(ours):
                key = prefix + key.removeprefix(ours)
                break
        theirs[key] = value
    sink = io.BytesIO()
    torch.save({"meta": {"epoch": 60}, "state_dict": theirs}, sink)
    return sink.getvalue()


CARD = """
name = "tiny"
architecture = "hrnetv2-w18"
weights = {weights}

[input]
size = [64, 64]

[test]
decoder = "dark"
"""


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    from nmebench import synthface

    folder = tmp_path_factory.mktemp("world")
    data = synthface.make(folder / "data", faces=8, seed=3, workers=1)
    many = folder / "many"
    lists = many / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    lists.mkdir(parents=True)
    (many / "WFLW_images").symlink_to(data / "WFLW_images")
    name = "list_98pt_rect_attr_test.txt"
    (lists / name).write_bytes((data / "WFLW_annotations" / "list_98pt_rect_attr_train_test" / name).read_bytes() * 12)
    weights = mmpose0_checkpoint()
    (folder / "tiny.pth").write_bytes(weights)
    card = folder / "tiny.toml"
    card.write_text(CARD.format(weights='"tiny.pth"'))
    return World(data, many, weights, card)


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The last line of standard error."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


class Started:
    """A running command; its standard error is read line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen = ""

    def wait_for(self, pattern: str) -> str:
        """Read standard error until a line matches."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.seen += line
            if re.search(pattern, line):
                return line
        raise AssertionError(f"ended with {self.process.wait()} without {pattern!r}: {self.seen}")

    def end(self, sent: signal.Signals | None = None, *, timeout: float = 900) -> Ended:
        if sent is not None:
            self.process.send_signal(sent)
        out, err = self.process.communicate(timeout=timeout)
        return _checked(Ended(self.process.returncode, out, self.seen + err))


def _checked(ended: Ended) -> Ended:
    assert "Traceback" not in ended.err, ended.err
    return ended


def environment(tmp_path: Path, changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """A minimal environment; None removes a variable."""
    values = {
        "PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), "HOME": str(tmp_path / "home"),
        "NMEBENCH_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
    }  # fmt: skip
    for key, value in (changes or {}).items():
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value
    return values


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """A function that starts ``nmebench ARGS``; the process is killed at the end of the test."""
    running: list[subprocess.Popen[str]] = []

    def run(*args: object, env: Mapping[str, str | None] | None = None, **options: Any) -> Started:
        process = subprocess.Popen(
            [sys.executable, "-m", "nmebench", *map(str, args)],
            env=environment(tmp_path, env), cwd=options.pop("cwd", tmp_path), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **options,
        )  # fmt: skip
        running.append(process)
        return Started(process)

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def cli(start: Callable[..., Started]) -> Callable[..., Ended]:
    """A function that runs ``nmebench ARGS`` to its end; asserts that there is no traceback."""

    def run(*args: object, timeout: float = 1800, **options: Any) -> Ended:
        return start(*args, **options).end(timeout=timeout)

    return run


def until(look: Callable[[], Any], *, seconds: float = 600.0) -> Any:
    """Wait until ``look()`` returns a true value, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"still false after {seconds} s")


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Any]:
    return until


@pytest.fixture
def row(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, Ended], None]:
    """A function that compares a row of docs/faults.md with the error line of a command."""

    def check(fault: str, ended: Ended) -> None:
        faults.row(request, fault, ended.line, ended.code, tmp_path)

    return check


SESSION = """
import sys
import time
{setup}
from nmebench.cli.entry import main
if __name__ == "__main__":
    for number, arguments in enumerate({commands!r}):
        started = time.perf_counter()
        code = main(arguments)
        print("@code", number, code, arguments[:2], round(time.perf_counter() - started, 1), flush=True)
"""


@pytest.fixture
def session(tmp_path: Path) -> Callable[..., list[int]]:
    """A function that runs several commands in one new process, after some set-up code; returns their exit codes."""

    def run(
        commands: Sequence[Sequence[object]], *, setup: str = "", env: Mapping[str, str | None] | None = None
    ) -> list[int]:
        script = tmp_path / "session.py"
        script.write_text(SESSION.format(setup=setup, commands=[[str(a) for a in c] for c in commands]))
        ended = subprocess.run(
            [sys.executable, str(script)], env=environment(tmp_path, env), cwd=tmp_path, capture_output=True,
            text=True, timeout=1500, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert "Traceback" not in ended.stderr, ended.stderr
        sys.stdout.write("\n".join(line for line in ended.stdout.splitlines() if line.startswith("@code")))
        codes = [int(code) for code in re.findall(r"^@code \d+ (\d+) ", ended.stdout, re.MULTILINE)]
        assert len(codes) == len(commands), ended.stdout + ended.stderr
        return codes

    return run


def tree(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(name="tree")
def tree_fixture() -> Callable[[Path], dict[str, str]]:
    return tree


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A function that mounts a small or read-only file system; the test is skipped if mounting isn't allowed."""
    mounted: list[Path] = []

    def mount(size: str, *, read_only: bool = False) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        options = f"size={size},mode=777" + (",ro" if read_only else "")
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, text=True
        )
        if made.returncode != 0:
            pytest.skip(f"this user may not mount a file system ({made.stderr.strip()[:80]})")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        for _ in range(20):
            if subprocess.run(["umount", str(place)], capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
