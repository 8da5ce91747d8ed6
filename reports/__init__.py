"""Reports of runs: a self-contained HTML page, and the score tables as Markdown and LaTeX."""

from __future__ import annotations

from nmebench.reports.comparison import comparison_html, write_comparison
from nmebench.reports.page import html, write
from nmebench.reports.sections.downloads import latex_tables, markdown_tables
from nmebench.reports.several import several_html, write_several

__all__ = [
    "comparison_html",
    "html",
    "latex_tables",
    "markdown_tables",
    "several_html",
    "write",
    "write_comparison",
    "write_several",
]
