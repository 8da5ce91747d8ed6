"""Text for the page: printable fields, numbers and sentences."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup, escape

__all__ = [
    "DASH",
    "FIELD_LIMIT",
    "adaptive_decimals",
    "adaptive_number",
    "display",
    "flip_text",
    "number",
    "p_value",
    "prose",
    "sentence_list",
    "signed",
]

FIELD_LIMIT: Final = 200
"""Number of characters of a field that the page shows; longer fields are cut with a note."""

DASH: Final = "–"
"""Shown in place of a missing number."""

_FLIPS: Final[Mapping[str, str]] = {
    "none": "no flip test",
    "flip": "flip test",
    "flip+shift": "flip test, shifted",
    "flip+align": "flip test, aligned",
    "flip-coords": "flip test on landmarks",
}


def display(value: Any, limit: int = FIELD_LIMIT) -> str:
    r"""Return a value as one printable line of at most ``limit`` characters, with a note if it is cut.

    Control characters and bytes that are not UTF-8 (lone surrogates in file names) become escapes. Letters of every
    script, emoji and direction marks stay, because the page isolates names with ``<bdi>``.

    Example:
        >>> display("a\x1bb")
        'a\\x1bb'
        >>> display("x" * 1000, limit=4)
        'xxxx… (cut, 1000 characters)'
    """
    text = os.fsdecode(value) if isinstance(value, bytes) else str(value)
    note = f"… (cut, {len(text)} characters)" if len(text) > limit else ""
    return "".join(_escaped(char) for char in text[:limit]) + note


def _escaped(char: str) -> str:
    point = ord(char)
    if 0xDC80 <= point <= 0xDCFF:
        return f"\\x{point - 0xDC00:02x}"
    if 0xD800 <= point <= 0xDFFF or point in (0xFFFE, 0xFFFF):
        return f"\\u{point:04x}"
    if point < 0x20 or 0x7F <= point < 0xA0:
        return f"\\x{point:02x}"
    return "\\u2028" if point == 0x2028 else "\\u2029" if point == 0x2029 else char


def flip_text(flip: str) -> str:
    """A flip test as the pages word it.

    Example:
        >>> flip_text("flip+align")
        'flip test, aligned'
    """
    return _FLIPS.get(flip, display(flip, 40))


def number(value: Any, digits: int = 2) -> str:
    """A number with a fixed number of decimals; a dash for None, NaN and infinity.

    Example:
        >>> number(3.14159), number(None)
        ('3.14', '–')
    """
    if value is None or value == "" or not math.isfinite(float(value)):
        return DASH
    return f"{float(value):.{digits}f}"


def adaptive_decimals(value: float | None, digits: int = 2) -> int:
    """Number of decimals that keeps two significant digits of a small number.

    The floor of a decoder on ideal heatmaps is 0.0008 %, not 0.00 %. Numbers from 1000, which only a diverged decoder
    reaches, have no decimals.

    Example:
        >>> adaptive_decimals(0.00081), adaptive_decimals(3.98), adaptive_decimals(121188.0)
        (5, 2, 0)
    """
    if value is None or not math.isfinite(value) or value == 0:
        return digits
    if abs(value) >= 1000:
        return 0
    return min(9, max(digits, 1 - math.floor(math.log10(abs(value)))))


def adaptive_number(value: float | None, digits: int = 2) -> str:
    """A number with the decimals of :func:`adaptive_decimals`."""
    return number(value, adaptive_decimals(value, digits))


def signed(value: Any, digits: int = 2) -> str:
    """A difference with its sign (a minus sign, not a hyphen), or a dash.

    Example:
        >>> signed(0.5), signed(-0.5), signed(-0.001)
        ('+0.50', '−0.50', '0.00')
    """
    text = number(value, digits)
    if text == DASH:
        return text
    if float(text) == 0:
        return number(0, digits)
    return text.replace("-", "−") if text.startswith("-") else f"+{text}"


def p_value(value: Any) -> str:
    """A p value with three decimals, or ``< 0.001``.

    Example:
        >>> p_value(0.04), p_value(0.0004)
        ('0.040', '< 0.001')
    """
    if value is None or not math.isfinite(float(value)):
        return DASH
    return "< 0.001" if float(value) < 0.001 else f"{float(value):.3f}"


def prose(text: str) -> Markup:
    """A sentence as escaped HTML; text in backticks is set as code, and a name in ‘quotation marks’ on one line.

    Example:
        >>> prose("run `nmebench check RUN`")
        Markup('run <code>nmebench check RUN</code>')
        >>> prose("earlier run ‘run-7’")
        Markup('earlier run <bdi class="name">‘run-7’</bdi>')
    """
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(re.sub(r"(‘[^‘’]+’)", r'<bdi class="name">\1</bdi>', text))  # noqa: S704 - escaped first


def sentence_list(words: Sequence[str]) -> str:
    """Words joined by commas and ``and``.

    Example:
        >>> sentence_list(["a", "b", "c"])
        'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
