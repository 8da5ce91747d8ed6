"""Text from outside, such as file and model names, made safe for one line of a terminal or a Markdown table."""

from __future__ import annotations

import os
import re

__all__ = ["FORMULA", "LONGEST_LINE", "counted", "csv_text", "markdown_cell", "one_line", "shown"]

LONGEST_LINE = 1000
"""Characters of the longest message; a file may hold a value of any length, which a message then repeats."""

#: First characters with which a spreadsheet takes a cell of a csv file for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


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


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural.

    Example:
        >>> counted(1, "face"), counted(2500, "face"), counted(2, "box")
        ('1 face', '2500 faces', '2 boxes')
    """
    plural = f"{noun}es" if noun.endswith(("x", "s")) else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def one_line(text: str) -> str:
    """Return a message as one printable line of at most :data:`LONGEST_LINE` characters.

    Line breaks become spaces and other control characters become escapes. A longer text loses its middle, because
    messages begin with the file and end with the way out.

    Example:
        >>> one_line("a.toml: not a number:\\n  'x'")
        "a.toml: not a number: 'x'"
        >>> len(one_line("9" * 5000))
        1000
    """
    line = text if text.isprintable() else shown(" ".join(text.split()))
    if len(line) <= LONGEST_LINE:
        return line
    end = LONGEST_LINE // 3
    return f"{line[: LONGEST_LINE - end - 5]} ... {line[-end:]}"


def markdown_cell(text: str) -> str:
    """Return text for a cell of a Markdown table: on one line, with the characters of Markdown and HTML escaped.

    Example:
        >>> print(markdown_cell("net_a|<b>"))
        net\\_a\\|\\<b\\>
    """
    return re.sub(r"([\\|<>`*_\[\]])", r"\\\1", text).replace("\n", " ")


def csv_text(text: str) -> str:
    """Return text for a field of a csv file that a spreadsheet may open: never a formula.

    A spreadsheet runs a field that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return. An apostrophe
    in front makes it text. Use it for texts only: a negative number begins with ``-`` too.

    Example:
        >>> csv_text("net"), csv_text("=1+1")
        ('net', "'=1+1")
    """
    return f"'{text}" if text.startswith(FORMULA) else text


def _escaped(char: str) -> str:
    """Return the escape of a character; the byte's own escape for a byte that is not UTF-8."""
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
