"""Writes a table as Markdown, LaTeX or csv, each with its own escaping."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import quote

from nmebench.printable import csv_text, markdown_cell, shown
from nmebench.reports.render import latex, markdown
from nmebench.reports.render.text import DASH
from nmebench.reports.tables.table import Table, Value

__all__ = ["FORMATS", "TableFormat", "markdown_source", "render", "scores_link"]

TableFormat = Literal["md", "latex", "csv"]
"""``md``: a GitHub table; ``latex``: a ``booktabs`` table; ``csv``: comma-separated, with the intervals in columns."""

FORMATS: Final[tuple[TableFormat, ...]] = get_args(TableFormat)


def render(table: Table, form: TableFormat, *, link: str = "", source: bool = True) -> str:
    """Write a table as text that ends with a newline.

    Args:
        table: the table.
        form: the format.
        link: address of the run's scores, which Markdown links; empty for none.
        source: add the line on the data and the versions, except to csv.

    Example:
        >>> from nmebench.reports.tables import Column, Table, Value
        >>> table = Table(
        ...     (Column("decoder"), Column("test (2500)", numeric=True, interval=True)),
        ...     (("dark_|x", Value(3.98, 3, 3.9, 4.1)),),
        ... )
        >>> print(render(table, "md"), end="")
        | decoder | test (2500) |
        |---|--:|
        | dark\\_\\|x | 3.980 [3.900, 4.100] |
        >>> print(render(table, "csv"), end="")
        decoder,test (2500),test (2500) low,test (2500) high
        dark_|x,3.980,3.900,4.100
    """
    return _FORMATS[form](table, link, table.source if source else "")


def _markdown(table: Table, link: str, source: str) -> str:
    def cell(value: str | Value) -> str:
        if isinstance(value, str):
            return markdown_cell(shown(value))
        return value.text + (f" [{', '.join(value.interval)}]" if value.interval else "")

    texts = sum(not column.numeric for column in table.columns)
    head = [markdown_cell(shown(column.name)) for column in table.columns]
    text = markdown.table(head, [[cell(value) for value in row] for row in table.rows], text_columns=texts) + "\n"
    return text + (f"\n{markdown_source(source, link)}\n" if source else "")


def markdown_source(source: str, link: str) -> str:
    """Return the line on the data and the versions in Markdown, with a link to the scores.

    Args:
        source: from :func:`nmebench.reports.tables.layouts.source_line`.
        link: from :func:`scores_link`; empty for no link.
    """
    scores = f"; scores: [{markdown_cell(shown(link))}]({_target(link)})" if link else ""
    return f"{markdown_cell(shown(source))}{scores}"


def scores_link(run: Path, document: Path) -> str:
    """Return the path of a run's scores from a document's folder; empty on another drive."""
    try:
        return Path(os.path.relpath((run / "scores.csv").resolve(), document.parent.resolve())).as_posix()
    except ValueError:
        return ""


def _target(link: str) -> str:
    """A path as the target of a Markdown link."""
    return quote(link, safe="/.-_~", errors="surrogateescape")


def _latex(table: Table, _link: str, source: str) -> str:
    def cell(value: str | Value) -> str:
        if isinstance(value, str):
            return latex.escape(shown(value))
        text = latex.escape(value.text.replace(DASH, "--"))
        return text + (rf" {{\scriptsize [{', '.join(value.interval)}]}}" if value.interval else "")

    alignment = "".join("r" if column.numeric else "l" for column in table.columns)
    head = [latex.escape(shown(column.name)) for column in table.columns]
    text = latex.table(head, [[cell(value) for value in row] for row in table.rows], alignment=alignment)
    return (f"% {shown(source)}\n" if source else "") + text + "\n"


def _csv(table: Table, _link: str, _source: str) -> str:
    head: list[str] = []
    for column in table.columns:
        head.append(csv_text(column.name))
        if column.interval:
            head += [csv_text(f"{column.name} low"), csv_text(f"{column.name} high")]
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(head)
    for row in table.rows:
        fields: list[str] = []
        for column, value in zip(table.columns, row, strict=True):
            if isinstance(value, str):
                fields.append(csv_text(value))
            else:
                fields.append("" if value.text == DASH else value.text)
                fields += (value.interval or ("", "")) if column.interval else ()
        writer.writerow(fields)
    return sink.getvalue()


_FORMATS: Final[Mapping[TableFormat, Callable[[Table, str, str], str]]] = {
    "md": _markdown,
    "latex": _latex,
    "csv": _csv,
}
