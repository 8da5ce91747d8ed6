"""The registry of plug-ins: built-in names from a table, and names that other distributions register."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from nmebench.errors import InputError
from nmebench.suggest import unknown

__all__ = ["Loaded", "Registry"]


@dataclass(frozen=True)
class Loaded:
    """A loaded plug-in and its origin."""

    value: Any
    """The imported class, function or object."""
    target: str
    """``module:attribute``."""
    origin: str
    """``built-in``, or the distribution and version that registers the name."""


class Registry:
    """The names of one kind of plug-in, such as decoders or models.

    A name belongs to a target ``module:attribute``, which is imported by :meth:`load`, not before. Built-in names come
    from a table; other distributions register names in an entry-point group such as ``nmebench.decoders``. A name
    that is registered twice is refused, because the plug-in behind it would depend on the order of installation.

    Example:
        >>> registry = Registry("shape", {"square": "fractions:Fraction"}, group=None)
        >>> registry.names()
        ['square']
        >>> registry.load("square").origin
        'built-in'
        >>> registry.load("squre")
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: unknown shape 'squre'; did you mean 'square'? (known: square)
    """

    def __init__(
        self, kind: str, table: Mapping[str, str], *, group: str | None, error: type[InputError] = InputError
    ) -> None:
        """Create a registry.

        Args:
            kind: the word for a plug-in in messages, such as ``decoder``.
            table: built-in names with their targets ``module:attribute``, in the order of :meth:`names`.
            group: the entry-point group for other distributions; None if there are only built-in names.
            error: the class of the errors to raise.
        """
        self.kind = kind
        self.table: Mapping[str, str] = MappingProxyType(dict(table))
        self.group = group
        self.error = error

    def names(self) -> list[str]:
        """Return all names: built-in ones in the order of the table, then the others sorted. Imports nothing."""
        return [*self.table, *sorted(set(self.plugins()) - set(self.table))]

    def __contains__(self, name: object) -> bool:
        """Return True when a name is registered, even if it can't be loaded."""
        return name in self.table or name in self.plugins()

    def load(self, name: str) -> Loaded:
        """Import the target of a name.

        Raises:
            InputError: (or the class given as ``error``) the name is unknown or registered twice, or its target
                can't be imported.
        """
        plugins = self.plugins().get(name, [])
        origins = " and ".join(_origin(entry) for entry in plugins)
        if name in self.table:
            if plugins:
                raise self.error(
                    f"{self.kind} {name!r} is built in, and {origins} registers the same name; rename that entry point "
                    "or uninstall it"
                )
            module, _, attribute = self.table[name].partition(":")
            return Loaded(getattr(import_module(module), attribute), self.table[name], "built-in")
        if not plugins:
            raise self.error(unknown(self.kind, name, self.names()))
        if len(plugins) > 1:
            raise self.error(f"{self.kind} {name!r} is registered by {origins}; uninstall all but one")
        (entry,) = plugins
        try:
            value = entry.load()
        except Exception as error:  # any exception: this runs the plug-in's own module
            first = str(error).partition("\n")[0]
            raise self.error(
                f"{self.kind} {name!r} of {origins} can't be loaded from {entry.value}: {type(error).__name__}: {first}"
            ) from error
        return Loaded(value, entry.value, origins)

    def plugins(self) -> Mapping[str, list[EntryPoint]]:
        """Return the entry points of the group by name; a name has several if several distributions register it."""
        return {} if self.group is None else _plugins_on(self.group, tuple(sys.path))


@cache
def _plugins_on(group: str, path: tuple[str, ...]) -> Mapping[str, list[EntryPoint]]:  # noqa: ARG001 - part of the cache key
    """Entry points of the distributions on ``path``; cached, because reading all metadata takes about 10 ms."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=group):  # a distribution that is on the path twice counts once
        found.setdefault(entry.name, []).append(entry)
    return found


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"
