"""The provenance of plug-ins and of the working directory."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nmebench.runs import provenance
from nmebench.runs.run_record import Provenance, SourceRecord


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "core.fsmonitor=false"]
    done = subprocess.run(
        ["git", *identity, "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with a committed module ``recorded_plugin``, on ``sys.path``; the working directory is elsewhere."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "recorded_plugin.py").write_text("class Net: pass\n")
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "first")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(folder))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    yield folder
    sys.modules.pop("recorded_plugin", None)


def _records() -> list[SourceRecord]:
    sys.modules.pop("recorded_plugin", None)
    importlib.invalidate_caches()
    return provenance.sources({"model net": [importlib.import_module("recorded_plugin").Net]})


def test_plugin_with_commit_and_changes(project: Path, tmp_path: Path) -> None:
    (record,) = _records()
    assert (record.name, record.used_by) == ("recorded_plugin", ["model net"])
    assert record.git_commit == _git(project, "rev-parse", "HEAD")
    assert record.git_dirty is False
    assert str(tmp_path) not in record.model_dump_json()
    assert _records() == [record]
    (project / "recorded_plugin.py").write_text("class Net: x = 1\n")
    (edited,) = _records()
    assert edited.git_commit == record.git_commit
    assert edited.git_dirty is True
    assert edited.sha256 != record.sha256


def test_untracked_file_of_a_plugin_makes_it_dirty(project: Path) -> None:
    (project / "helper.py").write_text("")
    (record,) = _records()
    assert record.git_dirty is True


def test_repository_that_does_not_track_the_files_is_not_theirs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in a checkout: its files belong to no commit."""
    (project / ".gitignore").write_text("environment/\n")
    environment = project / "environment"
    environment.mkdir()
    (project / "recorded_plugin.py").rename(environment / "recorded_plugin.py")
    monkeypatch.syspath_prepend(str(environment))
    (record,) = _records()
    assert (record.git_commit, record.git_dirty) == (None, None)


def test_working_directory(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert provenance.sources({}) == []
    monkeypatch.chdir(project)
    (record,) = provenance.sources({})
    assert record.name == "working directory"
    assert record.git_commit == _git(project, "rev-parse", "HEAD")
    assert record.git_dirty is False
    (project / "recorded_plugin.py").unlink()
    _git(project, "rm", "-q", "recorded_plugin.py")
    (project / "notes.txt").write_text("")
    _git(project, "add", ".")
    (record,) = provenance.sources({})
    assert record.sha256 is None
    assert record.git_dirty is True


def test_removed_working_directory(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert provenance.sources({}) == []


def test_git_runs_no_program_that_the_repository_names(project: Path, tmp_path: Path) -> None:
    program = project / ".git/monitor"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    _git(project, "config", "core.fsmonitor", str(program))
    _records()
    assert not (tmp_path / "ran").exists()


def test_provenance_of_an_older_run_has_no_plugins() -> None:
    assert Provenance.model_validate({"nmebench": "0.1.0"}).plugins == []
    stored = Provenance(nmebench="0", plugins=[SourceRecord(name="x")]).model_dump_json()
    assert Provenance.model_validate(json.loads(stored)).plugins[0].name == "x"
