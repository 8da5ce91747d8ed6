r"""LaTeX tables with ``booktabs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["escape", "table"]

_ESCAPES: Final[Mapping[str, str]] = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}",
}  # fmt: skip


def escape(text: str) -> str:
    r"""Escape the characters that LaTeX would interpret.

    Example:
        >>> print(escape("net_a & 100 %"))
        net\_a \& 100 \%
    """
    return "".join(_ESCAPES.get(char, char) for char in text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, alignment: str) -> str:
    r"""Lay out a table.

    Args:
        head: column heads, already escaped.
        rows: cells, already escaped.
        alignment: one letter per column, ``l`` or ``r``.

    Returns:
        Lines joined by newlines, without a trailing newline.

    Example:
        >>> print(table(["decoder", "NME"], [["dark", "3.98"]], alignment="lr"))
        % needs \usepackage{booktabs}
        \begin{tabular}{lr}
        \toprule
        decoder & NME \\
        \midrule
        dark & 3.98 \\
        \bottomrule
        \end{tabular}
    """
    # A cell that begins with "[" after "\\" would be read as the optional argument of "\\".
    lines = [
        " & ".join(f"{{}}{cell}" if cell.startswith("[") else cell for cell in row) + r" \\" for row in (head, *rows)
    ]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            f"\\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )
