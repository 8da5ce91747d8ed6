"""The generated block of a document: the lines between two markers, found and replaced.

The markers are lines of their own, ``<!-- nmebench:NAME -->`` and ``<!-- /nmebench:NAME -->``, or ``% nmebench:NAME``
and ``% /nmebench:NAME`` in LaTeX. Markers inside a fenced code block of Markdown are examples and don't count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.suggest import unknown

__all__ = ["block_content", "check_section", "replace_block"]

_MARKER = re.compile(r"[ \t]*(?:<!--[ \t]*(/?)nmebench:([\w.-]+)[ \t]*-->|%[ \t]*(/?)nmebench:([\w.-]+))[ \t]*")
#: A line with its newline. Unlike str.splitlines, a form feed or another separator doesn't end a line.
_LINE = re.compile(r"[^\n]*\n|[^\n]+$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_SECTION = re.compile(r"[\w.-]{1,80}")


@dataclass(frozen=True)
class _Marker:
    line: int
    section: str
    ends: bool


def block_content(text: str, section: str, name: str) -> str:
    """Return the lines between the markers of a section, with newlines as ``\\n``.

    Args:
        text: the document.
        section: the name in the markers.
        name: the document's name, for messages.

    Raises:
        InputError: the section has no markers, or they are repeated, unpaired or nested.
    """
    lines = _LINE.findall(text)
    first, last = _block(lines, section, name)
    return "".join(lines[first + 1 : last]).replace("\r\n", "\n")


def replace_block(text: str, section: str, content: str, name: str) -> str:
    """Return the document with other lines between the markers of a section; nothing else changes.

    Args:
        text: the document; its newlines are kept, ``\\n`` or ``\\r\\n``.
        section: the name in the markers.
        content: the new lines, with ``\\n``.
        name: the document's name, for messages.

    Raises:
        InputError: the section has no markers, or they are repeated, unpaired or nested.

    Example:
        >>> print(replace_block("# Net\\n<!-- nmebench:t -->\\nold\\n<!-- /nmebench:t -->\\n", "t", "new\\n", "a.md"))
        # Net
        <!-- nmebench:t -->
        new
        <!-- /nmebench:t -->
        <BLANKLINE>
    """
    lines = _LINE.findall(text)
    first, last = _block(lines, section, name)
    newline = "\r\n" if lines[first].endswith("\r\n") else "\n"
    body = content if content.endswith("\n") or not content else content + "\n"
    return "".join([*lines[: first + 1], body.replace("\n", newline), *lines[last:]])


def check_section(section: str) -> None:
    """Refuse the name of a section that a marker can't have.

    Raises:
        InputError: the name has other characters than letters, digits, ``.``, ``_`` and ``-``.
    """
    if not _SECTION.fullmatch(section):
        raise InputError(
            f"--section {shown(section)!r}: must be 1 to 80 letters, digits, dots, hyphens and underscores"
        )


def _block(lines: list[str], section: str, name: str) -> tuple[int, int]:
    """Line numbers (from 0) of the markers of a section."""
    check_section(section)
    markers = _markers(lines)
    mine = [marker for marker in markers if marker.section == section]
    how = f"put the lines <!-- nmebench:{section} --> and <!-- /nmebench:{section} --> around the place of the table"
    if not mine:
        known = list(dict.fromkeys(marker.section for marker in markers))
        raise InputError(f"{name}: {unknown('section', section, known)}; {how}")
    if [marker.ends for marker in mine] != [False, True]:
        numbers = ", ".join(str(marker.line + 1) for marker in mine)
        raise InputError(
            f"{name}: the section {section} needs one start and one end marker, found lines {numbers}; {how}"
        )
    first, last = (marker.line for marker in mine)
    inside = next((m for m in markers if first < m.line < last), None)
    if inside is not None:
        raise InputError(
            f"{name}:{inside.line + 1}: the marker of {inside.section} is between those of {section}; "
            "sections can't be nested"
        )
    return first, last


def _markers(lines: list[str]) -> list[_Marker]:
    found = []
    fence = ""
    for number, line in enumerate(lines):
        stripped = line.rstrip("\r\n")
        mark = _FENCE.fullmatch(stripped)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
            continue
        if mark and not (mark[1].startswith("`") and "`" in mark[2]):
            fence = mark[1]
            continue
        match = _MARKER.fullmatch(stripped)
        if match:
            found.append(_Marker(number, match[2] or match[4], bool(match[1] or match[3])))
    return found
