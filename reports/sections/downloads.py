"""Downloads: scores as CSV, and the tables as Markdown and LaTeX, each as a ``data:`` link of the page."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from nmebench.printable import csv_text
from nmebench.reports.render import markdown
from nmebench.reports.render.text import DASH, display
from nmebench.reports.sections.landmarks import LandmarkErrors
from nmebench.reports.sections.scores import MetricTable, ScoreValue
from nmebench.reports.sections.scores import section as score_tables
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run

__all__ = ["Download", "landmark_csv", "latex", "latex_tables", "markdown_table", "markdown_tables", "section"]

LIMIT: Final = 200_000
"""Largest download in bytes; larger files are left out of the page."""

_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", DASH: "--",
}  # fmt: skip


@dataclass(frozen=True)
class Download:
    """A link of the page: file name, description, size and ``data:`` URI; the URI is empty if the file is too large."""

    name: str
    what: str
    uri: str
    size: str


def section(view: RunView, tables: Sequence[MetricTable], landmarks: LandmarkErrors | None) -> tuple[Download, ...]:
    """The page's links.

    Args:
        view: the run.
        tables: the score tables, from :func:`nmebench.reports.sections.scores.section`.
        landmarks: the NME by landmark, from :func:`nmebench.reports.sections.landmarks.section`; None leaves that file
            out.
    """
    table = view.run.scores
    texts = {
        str(name): column.map(csv_text, na_action="ignore")
        for name, column in table.items()
        if column.dtype.kind not in "biuf"
    }
    scores = table.assign(**texts).to_csv(index=False, lineterminator="\n", float_format="%.10g")
    headline = [replace(table, rows=tuple(row for _, row in table.headline)) for table in tables]
    links = [
        _link("scores.csv", "all scores with their intervals", "text/csv", scores),
        _link("tables.md", "the headline tables as Markdown", "text/markdown", _markdown(headline, view.run)),
        _link("tables.tex", "the headline tables as LaTeX", "application/x-tex", _latex(headline, view.run)),
    ]
    if landmarks is not None:
        links.append(_link("landmarks.csv", "NME by landmark, percent", "text/csv", landmark_csv(view, landmarks)))
    return tuple(links)


def _link(name: str, what: str, kind: str, text: str) -> Download:
    data = text.encode("utf-8", "backslashreplace")
    size = f"{len(data) / 1024:.0f} KiB" if len(data) >= 1024 else f"{len(data)} bytes"
    if len(data) > LIMIT:
        return Download(name, what, "", size)
    return Download(name, what, f"data:{kind};charset=utf-8;base64,{base64.b64encode(data).decode('ascii')}", size)


def markdown_tables(run: Run) -> str:
    """NME, FR and AUC of a run as Markdown tables, each with a line that describes it.

    Raises:
        InputError: the run has no scores, or one of its files is missing or damaged.
    """
    return _markdown(score_tables(RunView(run)), run)


def _markdown(tables: Sequence[MetricTable], run: Run) -> str:
    description = markdown.escape(_description(run))
    return "\n".join(
        f"**{t.metric.name}** ({t.metric.unit}; {description}), best bold, ties italic, 95 % intervals in brackets\n\n"
        f"{markdown_table(t)}"
        for t in tables
    )


def markdown_table(table: MetricTable) -> str:
    """One metric as a GitHub table; the best of a column is bold, its ties are italic."""
    head = ["network", "decoder", "flip", "box", *(f"{display(s, 40)} ({n})" for s, n in table.subsets)]
    rows = [
        [*map(markdown.escape, row.cell.names), *(_markdown_score(value) for value in row.values)] for row in table.rows
    ]
    return markdown.table([markdown.escape(h) for h in head], rows, text_columns=4) + "\n"


def _markdown_score(value: ScoreValue) -> str:
    text = {"best": f"**{value.text}**", "tie": f"*{value.text}*"}.get(value.mark, value.text)
    return text + (f" [{value.interval}]" if value.interval else "")


def latex_tables(run: Run) -> str:
    """NME, FR and AUC of a run as LaTeX ``booktabs`` tables.

    Raises:
        InputError: the run has no scores, or one of its files is missing or damaged.
    """
    return _latex(score_tables(RunView(run)), run)


def _latex(tables: Sequence[MetricTable], run: Run) -> str:
    description = _description(run).replace("\n", " ")
    return "\n".join(f"% {t.metric.name} ({t.metric.unit}; {description})\n{latex(t)}" for t in tables)


def latex(table: MetricTable) -> str:
    """One metric as a ``booktabs`` table; the best of a column is bold, its ties are italic."""
    head = ["Network", "Decoder", "Flip", "Box", *(display(s, 40) for s, _ in table.subsets)]
    rows = [
        head,
        ["", "", "", "", *(n for _, n in table.subsets)],
        *([*row.cell.names, *(value.text for value in row.values)] for row in table.rows),
    ]
    cells = [[_tex(text) for text in row] for row in rows]
    for texts, row in zip(cells[2:], table.rows, strict=True):
        texts[4:] = [_tex_score(text, value.mark) for text, value in zip(texts[4:], row.values, strict=True)]
    lines = [" & ".join(texts) + r" \\" for texts in cells]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}; bold: best of the column, italic: not significantly different from it",
            f"\\begin{{tabular}}{{llll{'r' * len(table.subsets)}}}",
            "\\toprule",
            *lines[:2],
            "\\midrule",
            *lines[2:],
            "\\bottomrule",
            "\\end{tabular}\n",
        ]
    )


def _tex(text: str) -> str:
    return "".join(_TEX.get(char, char) for char in text)


def _tex_score(text: str, mark: str) -> str:
    return {"best": rf"\textbf{{{text}}}", "tie": rf"\textit{{{text}}}"}.get(mark, text)


def _description(run: Run) -> str:
    dataset = run.record.dataset
    text = (
        f"{display(dataset.name, 40)}, {display(dataset.describe(), 80)}, "
        f"normalised by {display(run.record.normaliser, 40)}"
    )
    partial = dataset.expected and not dataset.complete
    return text + ("; a partial set: not comparable with values for the full set" if partial else "")


def landmark_csv(view: RunView, errors: LandmarkErrors) -> str:
    """NME by landmark, percent, as CSV: one row per cell, one column per landmark.

    Where the annotations tell visible from occluded landmarks, the column ``points`` says which ones a row counts; a
    landmark without any has an empty cell.
    """
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    columns = [f"landmark_{i}" for i in range(errors.table.shape[1])]
    tables = {"all": errors.table, **{part.name: part.table for part in errors.points}}
    writer.writerow(["model", "decoder", "flip", "box", *(["points"] if errors.points else []), *columns])
    for cell in view.cells:
        for name, table in tables.items():
            values = ("" if np.isnan(v) else f"{v:.4g}" for v in table[cell.index])
            writer.writerow([*map(csv_text, cell.names), *([name] if errors.points else []), *values])
    return sink.getvalue()
