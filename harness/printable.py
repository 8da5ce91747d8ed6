"""Names of files, printable on one line whatever bytes they hold."""

from __future__ import annotations

import os

__all__ = ["shown"]


def shown(name: str | os.PathLike[str]) -> str:
    """A file's name as one line of valid text.

    Control characters (a newline in a name) and bytes that are not UTF-8 (which Python carries as lone
    surrogates) are written as escapes, so that an error stays one line and can be printed on any terminal.

    >>> shown("a face.jpg")
    'a face.jpg'
    >>> print(shown("two\\nlines.jpg"))
    two\\nlines.jpg
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
