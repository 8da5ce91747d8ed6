"""Messages for unknown names, with the nearest known name and the list of allowed names."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

__all__ = ["did_you_mean", "similar_path", "unknown"]

#: Entries of a folder that are searched for a similar name.
_MOST_ENTRIES = 10_000


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


def similar_path(path: Path) -> str:
    """Return the hint ``; did you mean 'x'?`` with the path that exists and is spelled almost like a missing one.

    Names are almost alike when they differ in upper case, in the Unicode form of accents (NFC, NFD), or in spaces,
    hyphens and underscores. The hint is empty where no path, or more than one, is spelled like that.

    Args:
        path: a path that doesn't exist.

    Example:
        >>> similar_path(Path("/no-such-folder/file"))
        ''
    """
    found = Path(path.anchor) if path.anchor else Path()
    for name in path.parts[1 if path.anchor else 0 :]:
        try:
            if not (found / name).exists():
                with os.scandir(found) as entries:
                    names = [entry.name for entry in islice(entries, _MOST_ENTRIES)]
                alike = [other for other in names if _spelling(other) == _spelling(name)]
                if len(alike) != 1:
                    return ""
                name = alike[0]
        except (OSError, ValueError):  # not a folder, not readable, too long
            return ""
        found /= name
    return f"; did you mean {str(found)!r}?" if found != path else ""


def _spelling(name: str) -> str:
    folded = unicodedata.normalize("NFC", name).casefold()
    return folded.replace(" ", "-").replace("_", "-")
