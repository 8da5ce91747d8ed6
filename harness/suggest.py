"""Messages for unknown names, with the nearest known name and the list of allowed names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean", "unknown"]


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return the hint ``; did you mean 'x'?`` with the allowed word nearest to ``word``, or an empty string.

    Example:
        >>> did_you_mean("drak", ["argmax", "dark"])
        "; did you mean 'dark'?"
        >>> did_you_mean("xyzzy", ["argmax", "dark"])
        ''
    """
    by_lower = {name.lower(): name for name in allowed}
    near = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""


def unknown(kind: str, word: str, allowed: Iterable[str]) -> str:
    """Return the message for an unknown name, with the nearest match and all allowed names.

    Example:
        >>> unknown("decoder", "drak", ["argmax", "dark"])
        "unknown decoder 'drak'; did you mean 'dark'? (known: argmax, dark)"
    """
    names = list(allowed)
    return f"unknown {kind} {word!r}{did_you_mean(word, names)} (known: {', '.join(names) or 'none'})"
