"""The report of a run: one HTML file that needs no network, and its tables as Markdown and LaTeX."""

from __future__ import annotations

from reports.downloads import latex_tables, markdown_tables
from reports.page import html, write

__all__ = ["html", "latex_tables", "markdown_tables", "write"]
