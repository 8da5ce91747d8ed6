"""Differences between the provenance of two runs: code, packages, plug-ins and working directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from nmebench.runs.run_record import Provenance, SourceRecord

__all__ = ["provenance_differences", "source_differences"]

_NONE: Final = "none"


def provenance_differences(before: Provenance, after: Provenance) -> list[str]:
    """Return one line per difference that may have changed a number; thread counts and the machine are left out.

    Args:
        before: provenance of the first run.
        after: provenance of the other run.

    Example:
        >>> old = Provenance(nmebench="0.1", packages={"torch": "2.6"})
        >>> provenance_differences(old, Provenance(nmebench="0.1", packages={"torch": "2.7"}))
        ['other packages: torch 2.6 / 2.7']
    """
    found = []
    if packages := _versions(before.packages, after.packages):
        found.append(f"other packages: {packages}")
    if before.python != after.python:
        found.append(f"other Python: {before.python or '?'} / {after.python or '?'}")
    if before.code_sha256 != after.code_sha256:
        found.append(f"other code of nmebench: {_commit(before)} / {_commit(after)}")
    return [*found, *source_differences(before.plugins, after.plugins)]


def source_differences(before: Sequence[SourceRecord], after: Sequence[SourceRecord]) -> list[str]:
    """Return one line per plug-in, or working directory, whose code or requirements differ.

    Args:
        before: the sources of the first run.
        after: the sources of the other run.

    Example:
        >>> old = SourceRecord(name="net", used_by=["model net"], git_commit="b" * 40)
        >>> source_differences([old], [old.model_copy(update={"sha256": "c" * 64})])
        ['plug-in net (model net): other source (commit bbbbbbbbbbbb / commit bbbbbbbbbbbb, files cccccccccccc)']
    """
    first, second = ({source.name: source for source in sources} for sources in (before, after))
    found = []
    for name in sorted(first.keys() | second.keys()):
        one, other = first.get(name), second.get(name)
        label = _label(name, one or other)
        if one is None or other is None:
            found.append(f"{label}: in one of the runs only ({_describe(one)} / {_describe(other)})")
            continue
        changes = list(_changes(one, other))
        if changes:
            found.append(f"{label}: {'; '.join(changes)}")
    return found


def _changes(one: SourceRecord, other: SourceRecord) -> Iterator[str]:
    both = f"({_describe(one)} / {_describe(other)})"
    if one.sha256 != other.sha256:
        yield f"other source {both}"
    elif (one.version, one.git_commit, one.git_dirty) != (other.version, other.git_commit, other.git_dirty):
        yield f"other version or commit of the same source files {both}"
    if requirements := _versions(one.requirements, other.requirements):
        yield f"other requirements: {requirements}"


def _label(name: str, source: SourceRecord | None) -> str:
    users = ", ".join(source.used_by) if source is not None else ""
    kind = "" if source is not None and not source.used_by else "plug-in "
    return f"{kind}{name}" + (f" ({users})" if users else "")


def _describe(source: SourceRecord | None) -> str:
    if source is None:
        return _NONE
    parts = [f"version {source.version}"] if source.version else []
    if source.git_commit:
        parts.append(f"commit {_commit(source)}")
    if source.sha256:
        parts.append(f"files {source.sha256[:12]}")
    return ", ".join(parts) or "unknown"


def _commit(source: Provenance | SourceRecord) -> str:
    if source.git_commit is None:
        return "unknown commit"
    return source.git_commit[:12] + (" with uncommitted changes" if source.git_dirty else "")


def _versions(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The names whose values differ, with both values."""
    return ", ".join(
        f"{name} {before.get(name, _NONE)} / {after.get(name, _NONE)}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )
