"""Names of files, printable on one line whatever bytes they hold."""

from __future__ import annotations

import os

__all__ = ["shown"]


def shown(name: str | os.PathLike[str]) -> str:
    """Return a file's name as one line of valid text.

    Control characters (a newline in a name), bytes that are not UTF-8 (which Python represents as lone surrogates) and
    other lone surrogates (from a JSON file) become escapes, so that an error stays one line on any terminal.

    Example:
        >>> shown("a face.jpg")
        'a face.jpg'
        >>> print(shown("two\\nlines.jpg"))
        two\\nlines.jpg
    """
    return "".join(char if char.isprintable() else _escaped(char) for char in os.fspath(name))


def _escaped(char: str) -> str:
    """Return the escape of a character; the byte's own escape for a byte that is not UTF-8."""
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
