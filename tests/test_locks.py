"""Locks between processes: one holder at a time, and one line when the lock can't be held."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from nmebench.errors import InputError
from nmebench.fetch import lockfile
from nmebench.locks import locked
from nmebench.runs.run_writer import writing
from nmebench.synthface import cache as synthface_cache
from nmebench.training import loop

REFUSALS = [
    pytest.param(OSError(37, "No locks available"), "No locks available", id="ENOLCK"),
    pytest.param(OSError(95, "Operation not supported"), "Operation not supported", id="EOPNOTSUPP"),
    pytest.param(PermissionError(13, "Permission denied"), "Permission denied", id="EACCES"),
    pytest.param(NotImplementedError(), "it has none", id="ENOSYS"),
]


def refuse(error: BaseException) -> Callable[..., None]:
    def acquire(*_: object, **__: object) -> None:
        raise error

    return acquire


@pytest.mark.parametrize(("refusal", "reason"), REFUSALS)
def test_refused_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: BaseException, reason: str) -> None:
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse(refusal))
    with (
        pytest.raises(InputError, match=f"lock: the file system refuses the lock .{reason}.; choose another"),
        locked(tmp_path / "lock", busy="busy", way_out="choose another folder"),
    ):
        pytest.fail("the block must not run")


def train(folder: Path) -> None:
    loop.train("synthface-short", folder / "out")


def run(folder: Path) -> None:
    with writing(folder / "out", overwrite=False):
        pass


def draw(folder: Path) -> None:
    synthface_cache.cached(faces=1, cache=folder / "cache")


def download(folder: Path) -> None:
    with lockfile.lock_cache(folder / "cache"):
        pass


USERS = [
    pytest.param(train, "give a folder on another file system with -o", "is training into it; wait", id="train"),
    pytest.param(run, "give a folder on another file system with -o", "is writing there; wait for it", id="run"),
    pytest.param(draw, "set NMEBENCH_CACHE to a folder", "drawing .* for an hour; end it", id="synthface"),
    pytest.param(
        download, "choose another cache with NMEBENCH_CACHE", "is downloading into this cache; wait", id="fetch"
    ),
]


@pytest.mark.parametrize(("use", "way_out", "_busy"), USERS)
def test_each_user_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Path], None], way_out: str, _busy: str
) -> None:
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse(OSError(37, "No locks available")))
    with pytest.raises(InputError, match=f"refuses the lock .No locks available.; {way_out}"):
        use(tmp_path)


@pytest.mark.parametrize(("use", "_way_out", "busy"), USERS)
def test_each_user_reports_another_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Path], None], _way_out: str, busy: str
) -> None:
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse(filelock.Timeout("lock")))
    with pytest.raises(InputError, match=busy):
        use(tmp_path)


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from nmebench.locks import locked\n"
        "with locked(Path(sys.argv[1]), busy='b', way_out='w'):\n    os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path / "lock")], check=False, env=os.environ.copy())
    assert ended.returncode == -9
    assert (tmp_path / "lock").exists()
    with locked(tmp_path / "lock", busy="busy", way_out="choose another folder"):
        pass
