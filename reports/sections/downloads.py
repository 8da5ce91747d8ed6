"""The numbers to take along: CSV as stored, Markdown and LaTeX tables, each as a ``data:`` link of the page."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmebench.reports.render.text import DASH, say
from nmebench.reports.sections.tables import MetricTable
from nmebench.reports.sections.tables import section as metric_tables
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run

__all__ = ["Download", "landmark_csv", "latex", "latex_tables", "markdown", "markdown_tables", "section"]

#: Files above this size stay out of the page.
LIMIT = 400_000


@dataclass(frozen=True)
class Download:
    """A link of the page: file name, what it is, and the ``data:`` URI; no URI and a reason when it is too large."""

    name: str
    what: str
    uri: str
    size: str


def _link(name: str, what: str, kind: str, data: bytes) -> Download:
    size = f"{len(data) / 1024:.0f} KiB" if len(data) >= 1024 else f"{len(data)} bytes"
    if len(data) > LIMIT:
        return Download(name, what, "", size)
    return Download(name, what, f"data:{kind};charset=utf-8;base64,{base64.b64encode(data).decode('ascii')}", size)


def _markdown_cell(text: str) -> str:
    for char in "\\|`*_<>[]":
        text = text.replace(char, f"\\{char}")
    return text


def markdown(table: MetricTable) -> str:
    """One metric as a GitHub table: the best of a column bold, its ties in italics."""
    head = ["network", "decoder", "flip", "box", *(f"{say(s, 40)} ({n})" for s, n in table.subsets)]
    lines = [
        "| " + " | ".join(_markdown_cell(h) for h in head) + " |",
        "|" + "---|" * 4 + "--:|" * len(table.subsets),
    ]
    for row in table.rows:
        names = (say(row.cell.model, 80), say(row.cell.decoder, 80), say(row.cell.flip, 40), say(row.cell.box, 40))
        cells = [_markdown_cell(name) for name in names]
        for value in row.values:
            text = {"best": f"**{value.text}**", "tie": f"*{value.text}*"}.get(value.mark, value.text)
            cells.append(text + (f" [{value.interval}]" if value.interval else ""))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", DASH: "--",
}  # fmt: skip


def _tex_cell(text: str) -> str:
    return "".join(_TEX.get(char, char) for char in text)


def latex(table: MetricTable) -> str:
    """One metric as a ``booktabs`` table."""
    head = ["Network", "Decoder", "Flip", "Box", *(say(s, 40) for s, _ in table.subsets)]
    lines = [
        "% needs \\usepackage{booktabs}; bold: best of the column, italic: not significantly different from it",
        f"\\begin{{tabular}}{{llll{'r' * len(table.subsets)}}}",
        "\\toprule",
        " & ".join(_tex_cell(h) for h in head) + r" \\",
        " & ".join(["", "", "", "", *(_tex_cell(n) for _, n in table.subsets)]) + r" \\",
        "\\midrule",
    ]
    for row in table.rows:
        names = (say(row.cell.model, 80), say(row.cell.decoder, 80), say(row.cell.flip, 40), say(row.cell.box, 40))
        cells = [_tex_cell(name) for name in names]
        for value in row.values:
            text = _tex_cell(value.text)
            cells.append({"best": rf"\textbf{{{text}}}", "tie": rf"\textit{{{text}}}"}.get(value.mark, text))
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def _partial_note(run: Run) -> str:
    dataset = run.record.dataset
    text = f"{say(dataset.name, 40)}, {say(dataset.describe(), 80)}, errors over {say(run.record.normaliser, 40)}"
    return text + (
        "; a partial set: not comparable with values of the whole set"
        if dataset.expected and not dataset.complete
        else ""
    )


def _titled(tables: Sequence[MetricTable], run: Run) -> str:
    parts = [
        f"**{t.metric.name}** ({t.metric.unit}; {_markdown_cell(_partial_note(run))}), best bold, ties italic, "
        f"95 % intervals in brackets\n\n{markdown(t)}"
        for t in tables
    ]
    return "\n".join(parts)


def markdown_tables(run: Run) -> str:
    """NME, FR and AUC of a run as Markdown tables, each with a line that says what it is of."""
    return _titled(metric_tables(RunView(run)), run)


def latex_tables(run: Run) -> str:
    """NME, FR and AUC of a run as LaTeX ``booktabs`` tables."""
    return _latex(metric_tables(RunView(run)), run)


def _latex(tables: Sequence[MetricTable], run: Run) -> str:
    note = _partial_note(run).replace("\n", " ")
    return "\n".join(f"% {t.metric.name} ({t.metric.unit}; {note})\n{latex(t)}" for t in tables)


def landmark_csv(view: RunView, table: np.ndarray) -> str:
    """NME by landmark, percent: a row for every cell, a column for every landmark."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["model", "decoder", "flip", "box", *(f"landmark_{i}" for i in range(table.shape[1]))])
    for cell in view.cells:
        names = [say(cell.model, 80), say(cell.decoder, 80), cell.flip, say(cell.box, 40)]
        writer.writerow([*names, *(f"{v:.5g}" for v in table[cell.index])])
    return sink.getvalue()


def section(view: RunView, tables: Sequence[MetricTable], landmarks: np.ndarray | None) -> tuple[Download, ...]:
    """The page's links."""
    scores = view.run.scores.to_csv(index=False, lineterminator="\n", float_format="%.10g")
    links = [
        _link("scores.csv", "every number of the tables with its interval", "text/csv", _bytes(scores)),
        _link("tables.md", "the three tables as Markdown", "text/markdown", _bytes(_titled(tables, view.run))),
        _link("tables.tex", "the three tables as LaTeX", "application/x-tex", _bytes(_latex(tables, view.run))),
    ]
    if landmarks is not None:
        text = landmark_csv(view, landmarks)
        links.append(_link("landmarks.csv", "NME by landmark, percent", "text/csv", _bytes(text)))
    return tuple(links)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
