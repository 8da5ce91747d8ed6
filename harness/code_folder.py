"""Python files of the user's that are imported from their own folders, without installation.

Two folders may hold modules with the same names (``models``, ``utils``), and each must get its own. The modules of a
folder are in ``sys.modules`` only while its code runs: while a file is imported, an object of it is made or called.
Outside of that, the import path and the modules of the process are as before.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any
from weakref import WeakSet

from nmebench.source_files import INSTALLED

__all__ = ["SHARED", "CodeFolder", "code_folder", "folder_of"]

SHARED = frozenset({"nmebench", "torch", "torchvision", "timm", "numpy"})
"""Packages that a folder's modules never replace; neither do they replace those of the standard library."""


class _SourceLoader(SourceFileLoader):
    """Compiles the source each time: Python's bytecode files miss an edit of the same size within a second."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


_LOADERS: Any = ((ExtensionFileLoader, EXTENSION_SUFFIXES), (_SourceLoader, SOURCE_SUFFIXES))


class CodeFolder(MetaPathFinder):
    """Folders in which a user's files look for modules, and the modules that were imported from there."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """Keep the folders; nothing is imported.

        Args:
            roots: absolute paths of the folders, in the order in which modules are looked for.
        """
        self.roots = tuple(roots)
        self.modules: dict[str, ModuleType] = {}
        """Imported modules by name, as of the last time that the folder was active."""
        self.mains: set[str] = set()
        """File names of the modules that :meth:`load` was called for."""
        self._files: dict[str, Path | None] = {}
        self._hashes: dict[Path, str] = {}
        self._displaced: dict[str, ModuleType] = {}
        self._depth = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> CodeFolder:
        """Copies of a network share the folder of its code."""
        return self

    @property
    def files(self) -> Mapping[str, Path]:
        """The files of the imported modules, by the module's name."""
        return {name: file for name, file in self._files.items() if file is not None}

    def offers(self, top: str) -> Path | None:
        """Return the file of a top-level module that the folder provides, or the folder of a package; else None."""
        spec = self._find(top, [str(root) for root in self.roots])
        if spec is None:
            return None
        if spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)))
        return Path(spec.origin) if spec.origin else None

    def is_current(self) -> bool:
        """Return whether the imported files have the content that they had when they were imported."""
        return all(_hash(path) == sha256 for path, sha256 in self._hashes.items())

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the folder's modules importable inside the block; nested blocks and several threads are allowed."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def load(self, file: Path, name: str) -> ModuleType:
        """Import a file of the folder, once.

        Args:
            file: the Python file.
            name: the module's dotted name.

        Raises:
            Exception: whatever the file's code raises.
        """
        self.mains.add(file.name)
        with self.active():
            if "." in name:
                return import_module(name)
            if name in sys.modules and name in self.modules:
                return sys.modules[name]
            spec = spec_from_file_location(name, file, loader=_SourceLoader(name, str(file)))
            assert spec is not None  # noqa: S101 - a loader was given
            assert spec.loader is not None  # noqa: S101
            self._found(name, file)
            module = module_from_spec(spec)
            sys.modules[name] = module
            try:
                spec.loader.exec_module(module)
            except BaseException:
                sys.modules.pop(name, None)
                raise
            return module

    def run_inside(self, module: Any) -> None:
        """Make each call of a network run inside :meth:`active`, because its forward pass may import modules.

        Args:
            module: an ``nn.Module``.
        """
        module.register_forward_pre_hook(self._before_forward)
        module.register_forward_hook(self._after_forward, always_call=True)

    def _before_forward(self, *_: object) -> None:
        self._enter()

    def _after_forward(self, *_: object) -> None:
        self._leave()

    # The finder.

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        """Find a module below the roots; the standard library and shared packages are left to the other finders."""
        inside = [str(root) for root in self.roots] if path is None else [e for e in path if self._is_inside(Path(e))]
        spec = self._find(fullname, inside)
        if spec is not None:
            self._found(fullname, Path(spec.origin) if spec.loader is not None and spec.origin else None)
        return spec

    def _find(self, name: str, entries: Sequence[str]) -> ModuleSpec | None:
        top = name.partition(".")[0]
        if top in SHARED or top in sys.stdlib_module_names:
            return None
        for entry in entries:
            spec = FileFinder(entry, *_LOADERS).find_spec(name)
            if spec is None:
                continue
            # A folder without __init__.py: an installed package of the same name comes first, as in Python itself, but
            # no package of the working directory.
            if spec.loader is None and name == top and (not _holds_python(spec) or _is_installed(name)):
                continue
            return spec
        return None

    def _is_inside(self, path: Path) -> bool:
        return any(path.is_relative_to(root) for root in self.roots)

    def _found(self, name: str, file: Path | None) -> None:
        self._files[name] = file
        if file is not None:
            self._hashes[file] = _hash(file)

    # The modules of the process.

    def _enter(self) -> None:
        with _LOCK:
            self._depth += 1
            if self._depth > 1:
                return
            before = list(sys.modules.copy().items())  # other threads may import meanwhile; copying is one step
            hidden = {top for top in {name.partition(".")[0] for name, _ in before} if self._hides(top)}
            self._displaced = {name: module for name, module in before if name.partition(".")[0] in hidden}
            for name in self._displaced:
                sys.modules.pop(name, None)
            sys.modules.update(self.modules)
            sys.meta_path.insert(0, self)

    def _leave(self) -> None:
        with _LOCK:
            self._depth -= 1
            if self._depth:
                return
            sys.meta_path.remove(self)
            self.modules = {name: sys.modules.pop(name) for name in sorted(self._files) if name in sys.modules}
            sys.modules.update(self._displaced)
            self._displaced = {}

    def _hides(self, top: str) -> bool:
        """Return whether the folder has a module of this name, which must be found before one of the process."""
        return top in self.modules or (top in self._listed and self.offers(top) is not None)

    @cached_property
    def _listed(self) -> set[str]:
        """Names in the folders that may be modules; to list a folder is faster than to ask for each name."""
        return {entry.partition(".")[0] for root in self.roots for entry in os.listdir(root)}  # noqa: PTH208


_LOCK = threading.RLock()
_FOLDERS: dict[tuple[Path, ...], CodeFolder] = {}

#: Folders of files that were edited since; networks that were made before still belong to them.
_REPLACED: WeakSet[CodeFolder] = WeakSet()


def code_folder(roots: Sequence[Path]) -> CodeFolder:
    """Return the folder object of these roots; a new one, without modules, if a file was edited since its import.

    Args:
        roots: paths of folders; the first one that has a module provides it.
    """
    key = tuple(dict.fromkeys(root.resolve() for root in roots))
    found = _FOLDERS.get(key)
    if found is None or not found.is_current():
        if found is not None:
            _REPLACED.add(found)
        found = _FOLDERS[key] = CodeFolder(key)
    return found


def folder_of(thing: object) -> CodeFolder | None:
    """Return the folder that a class or function was imported from; None if it was imported in the usual way.

    Names don't decide that, because two folders, or a folder and an installed package, may have the same module.
    """
    name = str(getattr(thing, "__module__", None))
    having = [folder for folder in (*_FOLDERS.values(), *_REPLACED) if name in folder.files]
    for folder in having:
        module = sys.modules.get(name) if folder._depth else folder.modules.get(name)
        if module is not None and _is_of(thing, module):
            return folder
    # A class without functions of its own that was made inside a function.
    return having[0] if len(having) == 1 and name not in sys.modules else None


def _is_of(thing: object, module: ModuleType) -> bool:
    """Return whether a class or function belongs to a module object."""
    found: Any = module
    for part in str(getattr(thing, "__qualname__", "")).split("."):
        found = getattr(found, part, None)
    if found is thing:
        return True
    parts: list[Callable[..., Any]] = [thing] if not isinstance(thing, type) else list(vars(thing).values())  # type: ignore[list-item]
    return any(getattr(part, "__globals__", None) is vars(module) for part in parts)


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"


def _holds_python(spec: ModuleSpec) -> bool:
    """Return whether a folder without ``__init__.py`` holds Python files at all."""
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    return any(next(folder.glob(pattern), None) for folder in folders for pattern in ("*.py", "*/*.py"))


@cache
def _is_installed(name: str) -> bool:
    folders = [path for path in sys.path if Path(path).name in INSTALLED]
    spec = PathFinder.find_spec(name, folders)
    return spec is not None and spec.loader is not None
