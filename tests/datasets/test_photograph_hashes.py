"""Remembered hashes of photographs: what is read again, and that a changed photograph always is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nmebench.bounded_read import read_bounded
from nmebench.datasets import photograph_hashes
from nmebench.datasets.photographs import PhotographSurvey, survey_photographs

NAMES = ["a.jpg", "b.jpg", "c\udcff.jpg"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three photographs that changed long ago, on a file system whose hashes are remembered."""
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(photograph_hashes, "_FEWEST", 1)
    monkeypatch.setattr(photograph_hashes, "_SETTLED", -1)
    monkeypatch.setattr(photograph_hashes, "_is_local", lambda device: True)
    made = tmp_path / "photographs"
    made.mkdir()
    for name in NAMES:
        (made / name).write_bytes(b"content of " + os.fsencode(name))
    return made


def survey(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[PhotographSurvey, list[str]]:
    """The survey and the photographs that it read."""
    read: list[str] = []

    def recorded(path: Path, limit: int) -> bytes:
        if path.exists():
            read.append(path.name)
        return read_bounded(path, limit)

    monkeypatch.setattr("nmebench.datasets.photographs.read_bounded", recorded)
    return survey_photographs(folder, NAMES), sorted(read)


def keep_times(path: Path, change: Callable[[Path], object]) -> None:
    """Change a file and set its old time of modification, as copies and restored backups have it."""
    status = path.stat()
    change(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_file(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes().replace(b"content", b"CONTENT"))
    other.replace(path)


CHANGES = {
    "same size and time": lambda path: keep_times(path, lambda p: p.write_bytes(p.read_bytes().swapcase())),
    "another file of the same size and time": lambda path: keep_times(path, replace_file),
    "a copy with its times": lambda path: shutil.copy2(path.with_name("b.jpg"), path),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"1"),
    "missing": Path.unlink,
}


def test_unchanged_photographs_are_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, read = survey(folder, monkeypatch)
    assert read == sorted(NAMES)
    assert survey(folder, monkeypatch) == (first, [])


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_photograph_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    first, _ = survey(folder, monkeypatch)
    change(folder / "a.jpg")
    second, read = survey(folder, monkeypatch)
    assert read == ["a.jpg"][: (folder / "a.jpg").exists()]
    assert second.sha256 != first.sha256
    shutil.rmtree(folder.parent / "cache")
    assert survey(folder, monkeypatch)[0] == second


def test_a_photograph_that_changed_just_now_is_not_remembered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second write within the same step of the clock would leave its time of change."""
    monkeypatch.setattr(photograph_hashes, "_SETTLED", 3600)
    survey(folder, monkeypatch)
    assert survey(folder, monkeypatch)[1] == sorted(NAMES)


def test_a_file_system_of_another_machine_is_not_remembered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photograph_hashes, "_is_local", lambda device: False)
    survey(folder, monkeypatch)
    assert survey(folder, monkeypatch)[1] == sorted(NAMES)


@pytest.mark.parametrize(
    ("mounts", "local"),
    [
        ("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext4 /dev/root rw\n", True),
        ("36 35 98:0 /mnt1 /mnt2 rw,noatime - nfs4 host:/data rw\n", False),
        ("36 35 98:0 /a /b rw - ext4 /dev/a rw\n37 35 98:0 /c /d rw - fuse.sshfs host: rw\n", False),
        ("36 35 98:1 /mnt1 /mnt2 rw,noatime master:1 - ext4 /dev/root rw\n", False),
        ("", False),
    ],
)
def test_local_file_systems(monkeypatch: pytest.MonkeyPatch, mounts: str, local: bool) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: mounts)
    photograph_hashes._is_local.cache_clear()
    try:
        assert photograph_hashes._is_local(os.makedev(98, 0)) is local
    finally:
        photograph_hashes._is_local.cache_clear()


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:40] + b"x" + data[41:]]
)
def test_damaged_hashes_are_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    first, _ = survey(folder, monkeypatch)
    (file,) = (folder.parent / "cache" / "photographs").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert survey(folder, monkeypatch) == (first, sorted(NAMES))


def test_few_photographs_are_always_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photograph_hashes, "_FEWEST", 4)
    survey(folder, monkeypatch)
    assert survey(folder, monkeypatch)[1] == sorted(NAMES)
    assert not (folder.parent / "cache").exists()
