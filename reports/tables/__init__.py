"""Result tables of a run for a README or a paper: Markdown, LaTeX and csv, also between the markers of a file.

:func:`make_table` selects and lays out the scores of a run, :func:`render` formats the table, and :func:`replace_block`
puts a text between the markers of a document. These functions return values; the command line writes.
"""

from __future__ import annotations

from nmebench.reports.tables.blocks import block_content, replace_block
from nmebench.reports.tables.formats import FORMATS, TableFormat, markdown_source, render, scores_link
from nmebench.reports.tables.layouts import LAYOUTS, Layout, TableOptions, make_table, source_line
from nmebench.reports.tables.selection import Selection
from nmebench.reports.tables.table import Column, Table, Value

__all__ = [
    "FORMATS",
    "LAYOUTS",
    "Column",
    "Layout",
    "Selection",
    "Table",
    "TableFormat",
    "TableOptions",
    "Value",
    "block_content",
    "make_table",
    "markdown_source",
    "render",
    "replace_block",
    "scores_link",
    "source_line",
]
