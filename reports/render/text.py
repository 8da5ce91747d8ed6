"""What a run says, as text that can stand in a page: no lone surrogates, no control characters, no endless fields."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

__all__ = [
    "DASH",
    "LONGEST",
    "count",
    "decimals",
    "fine",
    "number",
    "percent_faces",
    "prose",
    "pvalue",
    "say",
    "sentence_list",
    "signed",
]

#: Characters of a field that a page shows; the rest is cut, and the page says so.
LONGEST = 200

#: Stands for a number that isn't there.
DASH = "–"


def say(value: Any, limit: int = LONGEST) -> str:
    r"""One printable line of at most ``limit`` characters and a note on what was cut.

    Control characters and bytes that are not UTF-8 (lone surrogates in file names) become escapes; letters of every
    script, emoji and marks that steer the writing direction stay: the page isolates them with ``<bdi>``.

    >>> say("a\x1bb")
    'a\\x1bb'
    >>> say("x" * 1000, limit=4)
    'xxxx… (cut, 1000 characters)'
    """
    text = os.fsdecode(value) if isinstance(value, bytes) else str(value)
    note = f"… (cut, {len(text)} characters)" if len(text) > limit else ""
    return "".join(_visible(char) for char in text[:limit]) + note


def _visible(char: str) -> str:
    point = ord(char)
    if 0xDC80 <= point <= 0xDCFF:
        return f"\\x{point - 0xDC00:02x}"
    if 0xD800 <= point <= 0xDFFF or point in (0xFFFE, 0xFFFF):
        return f"\\u{point:04x}"
    if point < 0x20 or 0x7F <= point < 0xA0:
        return f"\\x{point:02x}"
    return "\\u2028" if point == 0x2028 else "\\u2029" if point == 0x2029 else char


def number(value: Any, digits: int = 2) -> str:
    """A number with a fixed count of digits, or a dash for None and NaN."""
    if value is None or value == "" or not math.isfinite(float(value)):
        return DASH
    return f"{float(value):.{digits}f}"


def decimals(value: float | None, digits: int = 2) -> int:
    """Digits behind the point that keep two significant ones: the floors of decoders are 0.0008 %, not 0.00 %.

    None for the thousands, which only a decoder that fails altogether gives.
    """
    if value is None or not math.isfinite(value) or value == 0:
        return digits
    if abs(value) >= 1000:
        return 0
    return min(9, max(digits, 1 - math.floor(math.log10(abs(value)))))


def fine(value: float | None, digits: int = 2) -> str:
    """A number with ``digits`` digits, or more where it is so small that they would all be zeros."""
    return number(value, decimals(value, digits))


def signed(value: Any, digits: int = 2) -> str:
    """A difference with its sign (a true minus), or a dash."""
    text = number(value, digits)
    if text == DASH:
        return text
    if float(text) == 0:
        return number(0, digits)
    return text.replace("-", "−") if text.startswith("-") else f"+{text}"


def pvalue(value: Any) -> str:
    """A probability as papers print it: three digits, or ``< 0.001``."""
    if value is None or not math.isfinite(float(value)):
        return DASH
    return "< 0.001" if float(value) < 0.001 else f"{float(value):.3f}"


def count(value: int, noun: str) -> str:
    """``1 face``, ``2500 faces``, ``2 boxes``."""
    plural = f"{noun}es" if noun.endswith(("x", "s")) else f"{noun}s"
    return f"{value} {noun if value == 1 else plural}"


def percent_faces(failures: int, faces: int) -> str:
    """A failure rate as the count that it is: ``9 of 143``."""
    return f"{failures} of {faces}"


def prose(text: str) -> Markup:
    """A sentence, escaped, its `commands` in backticks set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first


def sentence_list(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
