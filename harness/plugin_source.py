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

Modules that are imported by a computed name only, and data files next to a single module, are not found.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlparse

from nmebench.bounded_read import parse_json
from nmebench.code_folder import CodeFolder, folder_of
from nmebench.errors import InputError
from nmebench.files import file_sha256

__all__ = ["WORKING_DIRECTORY", "PluginSource", "folder_source", "plugin_sources"]

WORKING_DIRECTORY = "working directory"
"""Name of the source that :func:`folder_source` returns."""

#: Packages that every cache key covers by source hash or version.
_COVERED = frozenset({"nmebench", "torch", "torchvision", "timm"})

#: Suffixes of source files.
_SOURCE = frozenset({".py", ".pyx", ".pxd", ".so", ".pyd", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp"})

_BYTECODE = frozenset({".pyc", ".pyo"})

#: Largest data file of a package in a user's own folder that is included, bytes.
_MAX_DATA = 4 << 20

_STANDARD = Path(os.__file__).absolute().parent

_INSTALLED = ("site-packages", "dist-packages")


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
    todo: list[tuple[str, Path]] = []
    folders: dict[CodeFolder, None] = {}
    others: dict[str, object] = {}
    for thing in things:
        folder = folder_of(thing)
        if folder is not None:
            folders[folder] = None
        else:
            others[str(getattr(thing, "__module__", None))] = thing
    for module, thing in others.items():
        if _top(module) in _COVERED or _is_standard(_top(module)):
            continue
        file = _module_file(module)
        if file is None:
            raise InputError(f"{thing!r} has no source file; define it in a module that can be imported")
        todo.append((_top(module), file))
    own: list[PluginSource] = []
    for folder in folders:
        files = _folder_files(folder)
        installed, local = _requirements(None, files)
        todo.extend(local)
        own.append(PluginSource(", ".join(sorted(folder.mains)), None, None, _digest(files), installed, files))
    found: dict[str, PluginSource] = {}
    seen: set[tuple[str, Path]] = set()
    while todo:
        top, file = todo.pop()
        if (top, file) in seen:
            continue
        seen.add((top, file))
        owner = _owner(file)
        name = owner.name if owner is not None else top
        if name in found or name in _COVERED:
            continue
        files = _files_of(owner, top, file)
        installed, local = _requirements(owner, files)
        todo.extend(local)
        found[name] = PluginSource(
            name, owner.name if owner else None, owner.version if owner else None, _digest(files), installed, files
        )
    return tuple(sorted((*own, *found.values()), key=lambda source: (source.name, source.sha256)))


def folder_source(folder: Path) -> PluginSource | None:
    """Return the source of a folder: its Python files and the packages directly below; None if it has none."""
    files = _next_to(folder)
    for package in sorted(folder.glob("*/__init__.py")):
        if not _is_skipped(package.parent):
            files |= {f"{package.parent.name}/{name}": path for name, path in _package_files(package.parent).items()}
    return PluginSource(WORKING_DIRECTORY, None, None, _digest(files), {}, files) if files else None


def _top(module: str) -> str:
    return module.partition(".")[0]


def _is_standard(top: str) -> bool:
    """Return True for a module of the standard library; False for another module of the same name."""
    if top not in sys.stdlib_module_names:
        return top in sys.builtin_module_names
    file = _module_file(top)
    return file is None or (file.is_relative_to(_STANDARD) and not set(file.parts) & set(_INSTALLED))


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
        by_name.setdefault(_normalised(name), found)
        root = Path(str(found.locate_file(""))).absolute()
        for line in _record(found).splitlines():
            file = line[1:].partition('"')[0] if line.startswith('"') else line.partition(",")[0]
            if _suffix(file) in _SOURCE:
                by_file.setdefault(root / file, found)
        project = _project(found)
        # A module beside the packages of this project's checkout is none of its sources.
        if project is not None and _normalised(name) not in _COVERED:
            projects.append((project, found))
    projects.sort(key=lambda pair: -len(pair[0].parts))
    return _Installed(by_name, by_file, tuple(projects))


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _owner(file: Path) -> Distribution | None:
    """The distribution that installed a file; for an editable install, the one of the project that holds it."""
    installed = _installed()
    for path in (file, file.resolve()):  # the metadata may name a symbolic link or its target
        if path in installed.by_file:
            return installed.by_file[path]
        for project, found in installed.projects:
            if path.is_relative_to(project) and not set(path.relative_to(project).parts) & set(_INSTALLED):
                return found
    return None


def _record(candidate: Distribution) -> str:
    return candidate.read_text("RECORD") or ""


def _project(candidate: Distribution) -> Path | None:
    """The project folder of an editable install; None for any other install."""
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
    if candidate.read_text("RECORD") is None and root.name not in _INSTALLED:
        return root
    return None


def _files_of(owner: Distribution | None, top: str, file: Path) -> dict[str, Path]:
    """The files of a distribution, or of a top-level package or module that belongs to none."""
    if owner is not None:
        project = _project(owner)
        if project is not None:
            return _project_files(project)
        root = Path(str(owner.locate_file("")))
        names = [str(name) for name in owner.files or ()]
        own = [n for n in names if ".." not in Path(n).parts and ".dist-info/" not in n and _suffix(n) not in _BYTECODE]
        return {name: root / name for name in own if (root / name).is_file()} or {file.name: file}
    module = sys.modules.get(top)
    folders = [Path(folder).absolute() for folder in getattr(module, "__path__", ())]
    if folders:
        return {
            f"{top}/{name}": path
            for folder in folders
            if folder.is_dir()
            for name, path in _package_files(folder).items()
        } or {file.name: file}
    if file.parent.name in _INSTALLED or file.suffix != ".py":
        return {file.name: file}
    return _next_to(file.parent)


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
        new = _own_package(place) if place.is_dir() else {place.name: place, **_next_to(place.parent)}
        files |= new
        todo |= {name for path in new.values() if path.suffix == ".py" for name in _imports(path)} - seen
    loaded = set(files.values())
    return files | {f"{name}{path.suffix}": path for name, path in folder.files.items() if path not in loaded}


def _own_package(folder: Path) -> dict[str, Path]:
    """The files of a package that a card's code imports, without large ones such as checkpoints beside the code."""
    return {
        f"{folder.name}/{name}": path
        for name, path in _package_files(folder).items()
        if path.suffix in _SOURCE or path.stat().st_size <= _MAX_DATA
    }


def _next_to(folder: Path) -> dict[str, Path]:
    """The Python files directly in a folder."""
    return {path.name: path for path in sorted(folder.glob("*.py")) if path.is_file()}


def _package_files(folder: Path) -> dict[str, Path]:
    """All files of a package, data files included, without bytecode."""
    return {name: path for name, path in _walk(folder) if path.suffix not in _BYTECODE}


def _project_files(folder: Path) -> dict[str, Path]:
    """The source files of a project, and all files of its packages (folders with ``__init__.py``)."""
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
        if path.suffix in _SOURCE or (name.rpartition("/")[0] in packages and path.suffix not in _BYTECODE)
    }


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Relative name and path of every file below a folder, without hidden folders and virtual environments."""
    for parent, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not _is_skipped(Path(parent, name)))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():  # not a pipe or socket
                yield path.relative_to(folder).as_posix(), path


def _is_skipped(folder: Path) -> bool:
    hidden = folder.name.startswith(".") or folder.name in ("__pycache__", "node_modules", *_INSTALLED)
    return hidden or folder.name.endswith((".egg-info", ".dist-info")) or (folder / "pyvenv.cfg").exists()


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1]  # noqa: PTH122 - thousands of names


def _digest(files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(f"{name}\0{_sha256(path)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError:
        return "unreadable"


def _requirements(
    owner: Distribution | None, files: Mapping[str, Path]
) -> tuple[dict[str, str], list[tuple[str, Path]]]:
    """Version and hash of the installed distributions that files import, and the modules that have sources to hash."""
    installed: dict[str, str] = {}
    local: list[tuple[str, Path]] = []
    names = _required(owner) if owner is not None else []
    own = {_top(name.replace("/", ".").removesuffix(".py")) for name in files}
    imported = {top for path in files.values() if path.suffix == ".py" for top in _imports(path)}
    for top in sorted(imported - _COVERED - own):
        if _is_standard(top):
            continue
        file = _module_file(top)
        if file is None:
            continue
        of_import = _owner(file)
        if of_import is None or _project(of_import) is not None:
            local.append((top, file))
        else:
            names.append(of_import.name)
    by_name = _installed().by_name
    seen = {*_COVERED, *([_normalised(owner.name)] if owner is not None else [])}
    while names:
        name = _normalised(names.pop())
        if name in seen or name not in by_name:
            continue
        seen.add(name)
        found = by_name[name]
        project = _project(found)
        if project is None:
            installed[name] = f"{found.version} {_installed_hash(found)}"
        else:
            local += [(found.name, file) for file in list(_project_files(project).values())[:1]]
        names += _required(found)
    return installed, local


def _required(owner: Distribution) -> list[str]:
    """The names of the distributions that one requires, those of its extras included."""
    matches = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) for text in owner.requires or ())
    return [match[0] for match in matches if match is not None]


def _installed_hash(found: Distribution) -> str:
    """Hash of the installer's record of source files and their hashes: a reinstalled package has another one."""
    lines = [line for line in _record(found).splitlines() if _suffix(line.split(",")[0]) in _SOURCE]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _imports(path: Path) -> tuple[str, ...]:
    """The top-level names of the modules that a file imports, relative imports left out."""
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
            names |= {_top(word.decode()) for word in name.split()[:1]}
    return tuple(sorted(names))
