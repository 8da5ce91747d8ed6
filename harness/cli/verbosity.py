"""The amount of output that the command line was asked for: ``--quiet``, normal or ``--verbose``."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final

__all__ = ["OPTIONS", "is_quiet", "is_verbose", "without_options"]

OPTIONS: Final = {"-q": "quiet", "--quiet": "quiet", "-v": "verbose", "--verbose": "verbose"}
"""The options, which may be anywhere in the line."""

_chosen: ContextVar[str] = ContextVar("verbosity", default="normal")


def without_options(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without :data:`OPTIONS`, and apply the last of these; arguments after ``--`` are kept.

    Example:
        >>> without_options(["list", "-v", "decoders"]), is_verbose()
        (['list', 'decoders'], True)
        >>> without_options(["list"]), is_verbose()
        (['list'], False)
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    given = [OPTIONS[argument] for argument in arguments[:end] if argument in OPTIONS]
    _chosen.set(given[-1] if given else "normal")
    return [argument for argument in arguments[:end] if argument not in OPTIONS] + list(arguments[end:])


def is_quiet() -> bool:
    """Return True if no progress is to be shown."""
    return _chosen.get() == "quiet"


def is_verbose() -> bool:
    """Return True if every column and source is to be shown."""
    return _chosen.get() == "verbose"
