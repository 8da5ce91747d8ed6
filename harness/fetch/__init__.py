"""Downloads of data sets and weights: the only code of the project that opens a connection.

``fetch`` downloads files, ``add`` installs files that were downloaded by hand. Both run only when the user asks for
them (``nmebench data fetch``, ``nmebench data add``); everything else works offline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nmebench.fetch.sources import Source, Sources, load_sources

if TYPE_CHECKING:
    from nmebench.fetch.add_local import add
    from nmebench.fetch.download import fetch
    from nmebench.fetch.transport import Policy, Progress

__all__ = [
    "Policy",
    "Progress",
    "Source",
    "Sources",
    "add",
    "by_hand",
    "fetch",
    "load_sources",
]

_LATER = {"add": "add_local", "fetch": "download", "Policy": "transport", "Progress": "transport"}


def __getattr__(name: str) -> Any:
    """`fetch`, `add` and their types on first use: a run asks for paths alone and need not import an HTTP client."""
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def by_hand(name: str, sources: Sources | None = None) -> tuple[str, ...]:
    """One line for every file behind a name that only a person can download, with where and what to do then."""
    table = load_sources() if sources is None else sources
    return tuple(
        f"{source.name}: download {source.file} in a browser from {source.page}, then `nmebench data add {source.file}`"
        for source in table.resolve(name)
        if source.by_hand
    )
