"""The source files of plug-ins (networks and decoders of other packages), for cache keys and provenance.

A plug-in's number depends on more than the file of its class: on helper files, constants in other modules, and the
packages that it imports. :func:`plugin_sources` collects all of them:

* the distribution that installed the module, with all its files; for an editable install, the source files of the
  project's folder;
* without a distribution, the files of the top-level package, or the Python files next to a single module;
* for code that a card names by a file (:mod:`nmebench.code_folder`), every file that was imported from its folders, the
  Python files next to it, and the packages of these folders that they import, data files included;
* the same for every module that these files import, if it comes from an editable install or from no distribution;
* name, version and content of every other distribution that they import or require.

A class that was defined in a notebook or an interpreter has no file. :func:`interpreter_source` hashes the text of its
cell, which is less: the functions and values of other cells that it reads are not part of it.

Modules that are imported by a computed name only, and data files next to a single module, are not found.
"""

from __future__ import annotations

import hashlib
import linecache
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution
from importlib.util import find_spec
from pathlib import Path
from types import CodeType

from nmebench.code_folder import CodeFolder, folder_of
from nmebench.distributions import (
    COVERED,
    distribution_files,
    distribution_named,
    normalised,
    owner_of,
    project_of,
    record_hash,
    required_names,
)
from nmebench.errors import InputError
from nmebench.source_files import (
    INSTALLED,
    SOURCE,
    files_hash,
    imported_names,
    is_skipped,
    package_files,
    project_files,
    python_files,
)

__all__ = [
    "WORKING_DIRECTORY",
    "PluginSource",
    "folder_source",
    "has_source_file",
    "interpreter_source",
    "plugin_sources",
]

WORKING_DIRECTORY = "working directory"
"""Name of the source that :func:`folder_source` returns."""

#: Largest data file of a package in a user's own folder that is included, bytes.
_MAX_DATA = 4 << 20

_STANDARD = Path(os.__file__).absolute().parent


@dataclass(frozen=True)
class PluginSource:
    """The source of one distribution, package or module outside this project."""

    name: str
    """Name of the distribution; without one, of the top-level package or module."""
    distribution: str | None
    version: str | None
    sha256: str
    """Hash of the names and contents of the files."""
    requirements: Mapping[str, str]
    """Version and hash of every installed distribution that the files import or require, by name."""
    files: Mapping[str, Path]
    """Files by their relative names."""

    @property
    def identity(self) -> list[object]:
        """Return everything that a cache key needs, as JSON; it holds no path of this machine."""
        return [self.name, self.distribution, self.version, self.sha256, dict(sorted(self.requirements.items()))]


def plugin_sources(things: Iterable[object]) -> tuple[PluginSource, ...]:
    """Return the sources of classes and functions outside this project, torch, torchvision and timm.

    Args:
        things: classes, functions or other objects with ``__module__``.

    Returns:
        One source per distribution, package or module, sorted by name; empty if everything belongs to this project.

    Raises:
        InputError: a class or function has no source file, for example because it was defined in an interpreter.

    Example:
        >>> import torch
        >>> plugin_sources([torch.nn.Conv2d])
        ()
    """
    folders, todo = _code_of(things)
    own: list[PluginSource] = []
    known: dict[str, _Installed] = {}
    for folder in folders:
        files = _folder_files(folder)
        installed, local = _requirements(None, files, known)
        todo.extend(local)
        own.append(PluginSource(", ".join(sorted(folder.mains)), None, None, files_hash(files), installed, files))
    found: dict[str, PluginSource] = {}
    seen: set[tuple[str, Path]] = set()
    while todo:
        top, file = todo.pop()
        if (top, file) in seen:
            continue
        seen.add((top, file))
        owner = owner_of(file)
        name = owner.name if owner is not None else top
        if name in found or name in COVERED:
            continue
        files = _files_of(owner, top, file)
        installed, local = _requirements(owner, files, known)
        todo.extend(local)
        found[name] = PluginSource(
            name, owner.name if owner else None, owner.version if owner else None, files_hash(files), installed, files
        )
    return tuple(sorted((*own, *found.values()), key=lambda source: (source.name, source.sha256)))


def _code_of(things: Iterable[object]) -> tuple[list[CodeFolder], list[tuple[str, Path]]]:
    """Return the folders and the modules (top-level name and file) that hold the code of classes and functions."""
    modules: list[tuple[str, Path]] = []
    folders: dict[CodeFolder, None] = {}
    others: dict[str, object] = {}
    for thing in things:
        folder = folder_of(thing)
        if folder is not None:
            folders[folder] = None
        else:
            others[str(getattr(thing, "__module__", None))] = thing
    for module, thing in others.items():
        if _top(module) in COVERED or _is_standard(_top(module)):
            continue
        file = _module_file(module)
        if file is None:
            raise InputError(f"{thing!r} has no source file; define it in a module that can be imported")
        modules.append((_top(module), file))
    return list(folders), modules


def folder_source(folder: Path) -> PluginSource | None:
    """Return the source of a folder: its Python files and the packages directly below; None if it has none."""
    files = python_files(folder)
    for package in sorted(folder.glob("*/__init__.py")):
        if not is_skipped(package.parent):
            files |= {f"{package.parent.name}/{name}": path for name, path in package_files(package.parent).items()}
    return PluginSource(WORKING_DIRECTORY, None, None, files_hash(files), {}, files) if files else None


def has_source_file(thing: object) -> bool:
    """Return whether a class or function belongs to a file, and not to a notebook or an interpreter.

    Example:
        >>> has_source_file(Path), has_source_file(type("Net", (), {"__module__": "no_such_module"}))
        (True, False)
    """
    module = str(getattr(thing, "__module__", None))
    covered = _top(module) in COVERED or _is_standard(_top(module))
    return covered or folder_of(thing) is not None or _module_file(module) is not None


def interpreter_source(things: Iterable[object]) -> PluginSource:
    """Return the source of classes that a notebook or an interpreter defined: the text of their cells.

    Where the text is gone, it is the compiled code.

    Args:
        things: classes or functions without a file, see :func:`has_source_file`.
    """
    texts = {text for thing in things for text in _texts_of(thing)}
    names = sorted({str(getattr(thing, "__module__", None)) for thing in things})
    digest = hashlib.sha256("\0".join(sorted(texts)).encode("utf-8", "surrogateescape")).hexdigest()
    return PluginSource(", ".join(names), None, None, digest, {}, {})


def _texts_of(thing: object) -> Iterator[str]:
    """The name of a class or function, and the text of each cell that holds a part of its code."""
    yield str(getattr(thing, "__qualname__", None))
    members = vars(thing).values() if isinstance(thing, type) else [thing]
    for member in members:
        function = getattr(member, "__func__", getattr(member, "fget", member))
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            yield "".join(linecache.getlines(code.co_filename)) or _code_text(code)


def _code_text(code: CodeType) -> str:
    constants = [_code_text(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return f"{code.co_name} {code.co_code.hex()} {code.co_names} {constants}"


def _top(module: str) -> str:
    return module.partition(".")[0]


def _is_standard(top: str) -> bool:
    """Return True for a module of the standard library; False for another module of the same name."""
    if top not in sys.stdlib_module_names:
        return top in sys.builtin_module_names
    file = _module_file(top)
    return file is None or (file.is_relative_to(_STANDARD) and not set(file.parts) & set(INSTALLED))


def _module_file(name: str) -> Path | None:
    """The file of an imported module; of an importable one for a top-level name; None if it has none."""
    module = sys.modules.get(name)
    origin = getattr(module, "__file__", None)
    if origin is None and module is None:
        try:
            spec = find_spec(name)
        except (ImportError, ValueError, AttributeError):
            spec = None
        origin = spec.origin if spec is not None and spec.has_location else None
    if not origin:
        return None
    file = Path(origin).absolute()
    while not file.exists() and file != file.parent:  # a module in a zip file: the archive
        file = file.parent
    return file if file.is_file() else None


def _files_of(owner: Distribution | None, top: str, file: Path) -> dict[str, Path]:
    """The files of a distribution, or of a top-level package or module that belongs to none."""
    if owner is not None:
        files = distribution_files(owner)
        return files if files or project_of(owner) is not None else {file.name: file}
    module = sys.modules.get(top)
    folders = [Path(folder).absolute() for folder in getattr(module, "__path__", ())]
    if folders:
        return {
            f"{top}/{name}": path
            for folder in folders
            if folder.is_dir()
            for name, path in package_files(folder).items()
        } or {file.name: file}
    if file.parent.name in INSTALLED or file.suffix != ".py":
        return {file.name: file}
    return python_files(file.parent)


def _folder_files(folder: CodeFolder) -> dict[str, Path]:
    """The files of code that a card names, by their names below the first folder that holds them.

    Imports are followed in the text of the files too: a module that the forward pass imports isn't loaded before.
    """
    files: dict[str, Path] = {}
    todo = set(folder.files)
    seen: set[str] = set()
    while todo:
        top = _top(todo.pop())
        if top in seen:
            continue
        seen.add(top)
        place = folder.offers(top) or folder.files.get(top)
        if place is None:
            continue
        if place.name == "__init__.py":
            place = place.parent
        new = _own_package(place) if place.is_dir() else {place.name: place, **python_files(place.parent)}
        files |= new
        todo |= {name for path in new.values() if path.suffix == ".py" for name in imported_names(path)} - seen
    loaded = set(files.values())
    return files | {f"{name}{path.suffix}": path for name, path in folder.files.items() if path not in loaded}


def _own_package(folder: Path) -> dict[str, Path]:
    """The files of a package that a card's code imports, without large ones such as checkpoints beside the code."""
    return {
        f"{folder.name}/{name}": path
        for name, path in package_files(folder).items()
        if path.suffix in SOURCE or path.stat().st_size <= _MAX_DATA
    }


@dataclass(frozen=True)
class _Installed:
    """A distribution that files import or require."""

    identity: str
    """Version and hash; empty for an editable project, whose files count instead."""
    local: tuple[tuple[str, Path], ...]
    """A file of an editable project."""
    requires: tuple[str, ...]


def _installed(name: str, known: dict[str, _Installed]) -> _Installed | None:
    """Describe an installed distribution; ``known`` are those that were described before."""
    if name not in known:
        found = distribution_named(name)
        if found is None:
            return None
        project = project_of(found)
        files = [] if project is None else list(project_files(project).values())[:1]
        known[name] = _Installed(
            f"{found.version} {record_hash(found)}" if project is None else "",
            tuple((found.name, file) for file in files),
            tuple(required_names(found)),
        )
    return known[name]


def _requirements(
    owner: Distribution | None, files: Mapping[str, Path], known: dict[str, _Installed]
) -> tuple[dict[str, str], list[tuple[str, Path]]]:
    """Version and hash of the installed distributions that files import, and the modules that have sources to hash."""
    installed: dict[str, str] = {}
    local: list[tuple[str, Path]] = []
    names = required_names(owner) if owner is not None else []
    own = {_top(name.replace("/", ".").removesuffix(".py")) for name in files}
    imported = {top for path in files.values() if path.suffix == ".py" for top in imported_names(path)}
    for top in sorted(imported - COVERED - own):
        if _is_standard(top):
            continue
        file = _module_file(top)
        if file is None:
            continue
        of_import = owner_of(file)
        if of_import is None or project_of(of_import) is not None:
            local.append((top, file))
        else:
            names.append(of_import.name)
    seen = {*COVERED, *([normalised(owner.name)] if owner is not None else [])}
    while names:
        name = normalised(names.pop())
        if name in seen:
            continue
        seen.add(name)
        found = _installed(name, known)
        if found is None:
            continue
        if found.identity:
            installed[name] = found.identity
        local += found.local
        names += found.requires
    return installed, local
