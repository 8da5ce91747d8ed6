"""A run and a sweep as a line and as a table for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from nmebench.metric_names import is_metric
from nmebench.printable import shown

if TYPE_CHECKING:
    from nmebench.runs.run_store import Run

__all__ = ["run_html", "run_line"]

_MOST_CELLS = 40
"""Cells of a table in a notebook; ``scores`` has all."""


def run_line(run: Run) -> str:
    """Return the name of the folder, the data set, and the numbers of networks and cells."""
    record = run.record
    networks, cells = len(record.models), len(record.cells)
    return (
        f"<Run {shown(run.path.name)}: {record.dataset.name}, {record.dataset.describe()}, "
        f"{networks} network{'' if networks == 1 else 's'}, {cells} cell{'' if cells == 1 else 's'}>"
    )


def run_html(run: Run) -> str:
    """Return the line and the scores of all faces, one row per cell."""
    line = f"<p><strong>{escape(run_line(run)[1:-1])}</strong></p>"
    if not (run.path / "scores.csv").is_file():
        return f"{line}<p>Not scored.</p>"
    scores = run.scores[run.scores["subset"] == "test"]
    names = ["model", "decoder", "flip", "box", *(name for name in scores.columns if is_metric(str(name)))]
    table: pd.DataFrame = scores[names].head(_MOST_CELLS)
    left = len(scores) - _MOST_CELLS
    rest = f"<p>{left} more cells are in <code>scores</code>.</p>" if left > 0 else ""
    html = table.to_html(index=False, escape=True, border=0, float_format=lambda value: f"{value:.4g}")
    return f"{line}{html}{rest}"
