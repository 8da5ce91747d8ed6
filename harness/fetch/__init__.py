"""Downloads of data sets and weights: the only code in the project that opens a connection.

`fetch` downloads files and `add` installs files that the user downloaded by hand. They run only for the commands
``nmebench data fetch`` and ``nmebench data add``; everything else works offline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nmebench.fetch.sources import Source, Sources, load_sources

if TYPE_CHECKING:
    from nmebench.fetch.add_local import add
    from nmebench.fetch.download import fetch
    from nmebench.fetch.transport import Policy, Progress

__all__ = ["Policy", "Progress", "Source", "Sources", "add", "fetch", "load_sources", "manual_downloads"]

_LAZY = {"add": "add_local", "fetch": "download", "Policy": "transport", "Progress": "transport"}


def __getattr__(name: str) -> Any:
    """Import `fetch`, `add` and their types at first use, because they import an HTTP client."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def manual_downloads(name: str, sources: Sources | None = None) -> tuple[str, ...]:
    """Return one line for each file of a name that must be downloaded by hand: where to find it and what to do.

    Args:
        name: a name that `fetch` knows.
        sources: the files to choose from; by default those of `load_sources`.

    Raises:
        InputError: the name is unknown.

    Example:
        >>> manual_downloads("wflw")
        ()
        >>> manual_downloads("wflw-hrnet")[0].partition(" from ")[0]
        'wflw-hrnet: download face_landmarks_data.zip in a browser'
    """
    table = load_sources() if sources is None else sources
    files = tuple(f"{source.name}: {source.manual_way}" for source in table.resolve(name) if source.by_hand)
    return (*files, f"{name}: {table.by_hand[name]}") if name in table.by_hand else files
