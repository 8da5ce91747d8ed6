"""The installed distributions: which one a file belongs to, its files, what it requires, and its hash."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlparse

from nmebench.bounded_read import parse_json
from nmebench.errors import InputError
from nmebench.source_files import BYTECODE, INSTALLED, SOURCE, project_files, suffix

__all__ = [
    "COVERED",
    "distribution_files",
    "distribution_named",
    "normalised",
    "owner_of",
    "project_of",
    "record_hash",
    "required_names",
]

COVERED: Final = frozenset({"nmebench", "torch", "torchvision", "timm"})
"""Packages that every cache key covers by source hash or version."""


@dataclass(frozen=True)
class _Installed:
    """The distributions on ``sys.path``."""

    by_name: Mapping[str, Distribution]
    """By normalised name; the first on the path."""
    by_file: Mapping[Path, Distribution]
    """By the path of each installed file."""
    projects: tuple[tuple[Path, Distribution], ...]
    """Editable installs and their folders, inner folders first."""


def _installed() -> _Installed:
    def changed(folder: str) -> int:
        try:
            return Path(folder).stat().st_mtime_ns
        except OSError:
            return 0

    return _installed_on(tuple((folder, changed(folder)) for folder in sys.path))


@lru_cache(maxsize=2)
def _installed_on(path: tuple[tuple[str, int], ...]) -> _Installed:  # noqa: ARG001 - part of the cache key
    by_name: dict[str, Distribution] = {}
    by_file: dict[Path, Distribution] = {}
    projects: list[tuple[Path, Distribution]] = []
    for found in distributions():
        name = found.metadata["Name"]
        if not name:
            continue  # a folder that an interrupted installation left
        by_name.setdefault(normalised(name), found)
        root = Path(str(found.locate_file(""))).absolute()
        for line in _record(found).splitlines():
            file = line[1:].partition('"')[0] if line.startswith('"') else line.partition(",")[0]
            if suffix(file) in SOURCE:
                by_file.setdefault(root / file, found)
        project = project_of(found)
        # A module beside the packages of this project's checkout is none of its sources.
        if project is not None and normalised(name) not in COVERED:
            projects.append((project, found))
    projects.sort(key=lambda pair: -len(pair[0].parts))
    return _Installed(by_name, by_file, tuple(projects))


def normalised(name: str) -> str:
    """Return a distribution's name with ``-`` for ``_`` and ``.``, in lower case (PEP 503).

    Example:
        >>> normalised("Ruamel_YAML.clib")
        'ruamel-yaml-clib'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def distribution_named(name: str) -> Distribution | None:
    """Return an installed distribution by its name, however it is spelt; None if it isn't installed."""
    return _installed().by_name.get(normalised(name))


def owner_of(file: Path) -> Distribution | None:
    """Return the distribution that installed a file, or whose editable project holds it; None if there is none."""
    installed = _installed()
    for path in (file, file.resolve()):  # the metadata may name a symbolic link or its target
        if path in installed.by_file:
            return installed.by_file[path]
        for project, found in installed.projects:
            if path.is_relative_to(project) and not set(path.relative_to(project).parts) & set(INSTALLED):
                return found
    return None


def _record(candidate: Distribution) -> str:
    return candidate.read_text("RECORD") or ""


def project_of(candidate: Distribution) -> Path | None:
    """Return the project folder of an editable install; None for any other install."""
    text = candidate.read_text("direct_url.json")
    if text is not None:
        try:
            content = parse_json(text, "direct_url.json")
            editable = content["dir_info"]["editable"] is True
            return Path(unquote(urlparse(content["url"]).path)) if editable else None
        except (InputError, KeyError, TypeError):
            return None
    root = Path(str(candidate.locate_file("")))
    # `setup.py develop` leaves its metadata in the project, which is then on sys.path.
    if candidate.read_text("RECORD") is None and root.name not in INSTALLED:
        return root
    return None


def distribution_files(owner: Distribution) -> dict[str, Path]:
    """Return the files of a distribution by relative name, without bytecode; for an editable install, its project's."""
    project = project_of(owner)
    if project is not None:
        return project_files(project)
    root = Path(str(owner.locate_file("")))
    names = [str(name) for name in owner.files or ()]
    own = [n for n in names if ".." not in Path(n).parts and ".dist-info/" not in n and suffix(n) not in BYTECODE]
    return {name: root / name for name in own if (root / name).is_file()}


def required_names(owner: Distribution) -> list[str]:
    """Return the names of the distributions that one requires, those of its extras included."""
    matches = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) for text in owner.requires or ())
    return [match[0] for match in matches if match is not None]


def record_hash(found: Distribution) -> str:
    """Return a hash of the installer's record of source files and their hashes, 16 hexadecimal digits.

    A package that was installed again from other sources has another hash, even with the same version.
    """
    lines = [line for line in _record(found).splitlines() if suffix(line.split(",")[0]) in SOURCE]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]
