"""GitHub-flavoured Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["escape", "table"]


def escape(text: str) -> str:
    r"""Escape the characters that Markdown or a table would interpret.

    Example:
        >>> escape("a|b *c*")
        'a\\|b \\*c\\*'
    """
    for char in "\\|`*_<>[]":
        text = text.replace(char, f"\\{char}")
    return text


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: int) -> str:
    """Lay out a table.

    Args:
        head: column heads.
        rows: cells, already escaped.
        text_columns: number of leading columns that hold text and are left-aligned; the others are right-aligned.

    Returns:
        Lines joined by newlines, without a trailing newline.

    Example:
        >>> print(table(["decoder", "NME"], [["dark", "3.98"]], text_columns=1))
        | decoder | NME |
        |---|--:|
        | dark | 3.98 |
    """
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * text_columns + "--:|" * (len(head) - text_columns)]
    lines.extend("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join(lines)
