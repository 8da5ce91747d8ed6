"""The source files of packages and projects: which ones belong to a folder, what they import, and their hash."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from nmebench.files import file_sha256

__all__ = [
    "BYTECODE",
    "INSTALLED",
    "SOURCE",
    "files_hash",
    "imported_names",
    "is_skipped",
    "package_files",
    "project_files",
    "python_files",
    "suffix",
]

SOURCE: Final = frozenset({".py", ".pyx", ".pxd", ".so", ".pyd", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp"})
"""Suffixes of source files."""

BYTECODE: Final = frozenset({".pyc", ".pyo"})
"""Suffixes of Python's bytecode."""

INSTALLED: Final = ("site-packages", "dist-packages")
"""Names of folders of installed packages."""


def python_files(folder: Path) -> dict[str, Path]:
    """Return the Python files directly in a folder, by name."""
    return {path.name: path for path in sorted(folder.glob("*.py")) if path.is_file()}


def package_files(folder: Path) -> dict[str, Path]:
    """Return all files below a package's folder by relative name, data files included, without bytecode."""
    return {name: path for name, path in _walk(folder) if path.suffix not in BYTECODE}


def project_files(folder: Path) -> dict[str, Path]:
    """Return the source files of a project, and all files of its packages (folders with ``__init__.py``)."""
    packages: set[str] = set()
    files: dict[str, Path] = {}
    for name, path in _walk(folder):
        parent = name.rpartition("/")[0]
        if path.name == "__init__.py":
            packages.add(parent)
        files[name] = path
    return {
        name: path
        for name, path in files.items()
        if path.suffix in SOURCE or (name.rpartition("/")[0] in packages and path.suffix not in BYTECODE)
    }


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Relative name and path of every file below a folder, without hidden folders and virtual environments."""
    for parent, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not is_skipped(Path(parent, name)))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():  # not a pipe or socket
                yield path.relative_to(folder).as_posix(), path


def is_skipped(folder: Path) -> bool:
    """Return whether a folder has no sources of its parent: hidden, installed, or a virtual environment."""
    hidden = folder.name.startswith(".") or folder.name in ("__pycache__", "node_modules", *INSTALLED)
    return hidden or folder.name.endswith((".egg-info", ".dist-info")) or (folder / "pyvenv.cfg").exists()


def suffix(name: str) -> str:
    """Return the suffix of a file name, faster than ``Path.suffix``."""
    return os.path.splitext(name)[1]  # noqa: PTH122 - thousands of names


def files_hash(files: Mapping[str, Path]) -> str:
    """Return the SHA-256 over the names and contents of files.

    Args:
        files: paths by the names to hash; a file that can't be read counts as ``unreadable``.
    """
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(f"{name}\0{_sha256(path)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError:
        return "unreadable"


def imported_names(path: Path) -> tuple[str, ...]:
    """Return the top-level names of the modules that a Python file imports, sorted; relative imports are left out.

    The text is searched, not parsed, so that files with errors and files of other Python versions have names too. A
    file that can't be read has none.
    """
    try:
        status = path.stat()
        return _imports_of(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return ()


_IMPORT = re.compile(rb"^[ \t]*(?:from[ \t]+([A-Za-z_]\w*)|import[ \t]+([A-Za-z_][\w., \t]*))", re.MULTILINE)


@lru_cache(maxsize=10_000)
def _imports_of(path: Path, size: int, changed: int) -> tuple[str, ...]:  # noqa: ARG001 - part of the cache key
    names: set[str] = set()
    for module, several in _IMPORT.findall(path.read_bytes()):
        for name in [module] if module else several.split(b","):
            names |= {word.decode().partition(".")[0] for word in name.split()[:1]}
    return tuple(sorted(names))
