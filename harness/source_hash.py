"""Hashes of this project's source code, for cache keys and for the provenance of runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from nmebench.files import file_sha256

__all__ = ["code_hash", "package_hash"]

#: Subpackages with their own folders: next to ``harness/`` in the repository, inside the package in a wheel.
_BESIDE = ("decoders", "models", "reports")

#: The packages that affect the results of a sweep. Reports only read stored runs.
_MEASURING = ("nmebench", "nmebench.decoders", "nmebench.models")


def package_hash(*packages: str) -> str:
    """Return the SHA-256 over the names and contents of all Python files in packages of this project.

    Args:
        packages: dotted names such as ``nmebench.decoders``. ``nmebench`` means the content of ``harness/``, without
            decoders, models and reports, so that a checkout and an installed wheel of the same sources have the same
            hash.

    Returns:
        64 hexadecimal digits.

    Raises:
        LookupError: a name isn't a package, or has no Python files. A misspelt name must not give an empty hash.

    Example:
        >>> package_hash("nmebench.decoders") == package_hash("nmebench.decoders")
        True
        >>> package_hash("nmebench.decoder")
        Traceback (most recent call last):
            ...
        LookupError: 'nmebench.decoder' is no package with Python sources
    """
    digest = hashlib.sha256()
    for name, sha256 in sorted(pair for package in packages for pair in _sources(package)):
        digest.update(f"{name}\0{sha256}\n".encode())
    return digest.hexdigest()


def code_hash() -> str:
    """Return the SHA-256 over all Python files of the project except the reports."""
    return package_hash(*_MEASURING)


@cache
def _sources(package: str) -> tuple[tuple[str, str], ...]:
    """Dotted name and SHA-256 of every Python file in a package."""
    try:
        spec = find_spec(package)
    except ModuleNotFoundError:
        spec = None
    found = []
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in _files(Path(folder), without=_BESIDE if package == "nmebench" else ()):
            relative = file.relative_to(folder).with_suffix("")
            found.append((".".join((package, *relative.parts)), file_sha256(file)))
    if not found:
        raise LookupError(f"{package!r} is no package with Python sources")
    return tuple(found)


def _files(folder: Path, *, without: Iterable[str]) -> list[Path]:
    """Every Python file below a folder, links to folders included (a link tree shows the package for tools)."""
    found = []
    for parent, _, names in os.walk(folder, followlinks=True):
        relative = Path(parent).relative_to(folder)
        if not relative.parts or relative.parts[0] not in without:
            found += [Path(parent) / name for name in names if name.endswith(".py")]
    return sorted(found)
