"""Collects the provenance of a run: code, package versions, threads and machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from nmebench.plugin_source import (
    WORKING_DIRECTORY,
    PluginSource,
    folder_source,
    has_source_file,
    interpreter_source,
    plugin_sources,
)
from nmebench.runs.run_record import Provenance, SourceRecord
from nmebench.source_hash import code_hash

__all__ = ["collect", "processor", "sources", "versions"]

#: Distributions whose version can change a landmark.
PACKAGES = (
    "numpy", "opencv-python-headless", "pillow", "torch", "torchvision", "timm", "onnxruntime", "openvino", "scipy",
    "pandas", "pyarrow", "matplotlib",
)  # fmt: skip


def versions(names: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the installed version of each distribution; one that isn't installed is absent.

    Example:
        >>> list(versions(["numpy", "no-such-distribution"]))
        ['numpy']
    """
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git(folder: Path, *arguments: str) -> str | None:
    """The output of a git command in a folder; None if it fails, for example outside any repository."""
    # Without fsmonitor, which runs a program that the repository names, and without refreshing the index.
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)  # noqa: S603 - no shell
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "surrogateescape").strip("\n") if done.returncode == 0 else None


def _git_state(folder: Path, files: Sequence[Path] = ()) -> tuple[str | None, bool | None]:
    """Commit and dirty flag of the repository that holds files, or a folder.

    A repository that tracks none of the files is not theirs: an environment inside a checkout belongs to no commit.
    """
    place = _git(folder, "rev-parse", "--show-toplevel", "HEAD")
    if place is None:
        return None, None
    top, _, commit = place.rpartition("\n")
    listed = _git(folder, "ls-files", "-z", "--full-name")
    status = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if status is None or not listed:
        return None, None
    tracked = {Path(top, name) for name in listed.split("\0") if name}
    untracked = [path for path in files if path.resolve() not in tracked]
    if files and len(untracked) == len(files):
        return None, None
    return commit, bool(status or untracked)


def _records(plugins: Mapping[str, Iterable[object]]) -> list[SourceRecord]:
    # Two folders of a user's may have files of the same name, so the name alone is no key.
    used_by: dict[tuple[str, str], list[str]] = {}
    sources: dict[tuple[str, str], PluginSource] = {}
    for user, things in plugins.items():
        code = list(things)
        without_file = [one for one in code if not has_source_file(one)]
        of_files = plugin_sources(one for one in code if one not in without_file)
        for source in (*of_files, *([interpreter_source(without_file)] if without_file else [])):
            key = (source.name, source.sha256)
            sources[key] = source
            used_by.setdefault(key, []).append(user)
    return [_record(source, used_by[key]) for key, source in sorted(sources.items(), key=lambda pair: pair[0])]


def _record(source: PluginSource, used_by: Sequence[str]) -> SourceRecord:
    files = list(source.files.values())
    commit, dirty = _git_state(_common_folder(files), files) if files else (None, None)
    return SourceRecord(
        name=source.name,
        used_by=sorted(used_by),
        distribution=source.distribution,
        version=source.version,
        sha256=source.sha256,
        requirements=dict(sorted(source.requirements.items())),
        git_commit=commit,
        git_dirty=dirty,
    )


def _common_folder(files: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in files]))


def _working_directory() -> list[SourceRecord]:
    """The record of the working directory; none if it has neither Python files nor a repository that tracks it."""
    try:
        folder = Path.cwd()
    except OSError:  # it has been removed
        return []
    source = folder_source(folder)
    if source is not None:
        return [_record(source, [])]
    commit, dirty = _git_state(folder)
    return [] if commit is None else [SourceRecord(name=WORKING_DIRECTORY, git_commit=commit, git_dirty=dirty)]


def processor() -> str:
    """Return the name of the processor's model."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def sources(plugins: Mapping[str, Iterable[object]]) -> list[SourceRecord]:
    """Return the records of plug-ins and of the working directory, without any path.

    Args:
        plugins: classes and functions by their user, such as ``model my-network``; those of this project are left out.

    A class that a notebook or an interpreter defined is described by the text of its cell.
    """
    return [*_records(plugins), *_working_directory()]


def collect(
    *,
    command: Sequence[str],
    threads: int,
    deterministic: bool,
    seed: int,
    plugins: Sequence[SourceRecord] | None = None,
) -> Provenance:
    """Return the provenance of the running process.

    It contains no time and no path, so that two equal runs from the same folder store the same bytes.

    Args:
        command: the command line.
        threads: torch's threads.
        deterministic: whether torch's deterministic algorithms are enabled.
        seed: the seed of the sweep.
        plugins: the result of :func:`sources` before the run; None collects the working directory now.
    """
    root = Path(__file__).resolve().parents[2]
    commit, dirty = _git_state(root) if (root / ".git").exists() else (None, None)
    return Provenance(
        nmebench=importlib.metadata.version("nmebench"),
        git_commit=commit,
        git_dirty=dirty,
        code_sha256=code_hash(),
        plugins=list(sources({}) if plugins is None else plugins),
        command=list(command),
        packages=versions(),
        python=platform.python_version(),
        threads=threads,
        deterministic=deterministic,
        seed=seed,
        host={
            "processor": processor(),
            "cores": str(psutil.cpu_count(logical=False) or psutil.cpu_count() or 1),
            "memory_gib": str(round(psutil.virtual_memory().total / 2**30)),
            "system": f"{platform.system()} {platform.machine()}",
            "implementation": sys.implementation.name,
        },
    )
