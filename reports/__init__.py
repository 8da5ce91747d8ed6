"""The report of a run: one HTML file that needs no network, and its tables as Markdown and LaTeX."""

from __future__ import annotations

from reports.comparison import comparison_html, write_comparison
from reports.downloads import latex_tables, markdown_tables
from reports.page import html, write

__all__ = ["comparison_html", "html", "latex_tables", "markdown_tables", "write", "write_comparison"]
