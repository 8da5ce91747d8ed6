"""Score tables: networks x decoders x subsets, with intervals; the best of each column and its ties are marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.metric_names import NME, Metric, metric_names, threshold_text
from nmebench.reports.render.text import DASH, adaptive_decimals, number
from nmebench.reports.view import CellView, HeadlineCell, RunView
from nmebench.statistics import best_and_ties

__all__ = [
    "NME_DIGITS",
    "BestScore",
    "MetricColumn",
    "MetricTable",
    "ScoreRow",
    "ScoreValue",
    "best",
    "metric_column",
    "section",
]


@dataclass(frozen=True)
class MetricColumn:
    """A metric of ``scores.csv`` and how the page names and prints it."""

    key: str
    """Column of ``scores.csv``."""
    name: str
    long_name: str
    unit: str
    digits: int
    lower_is_better: bool


NME_DIGITS: Final = 2
"""Decimals of NME, percent."""


def metric_column(name: str) -> MetricColumn:
    """Return how the page shows a metric.

    Raises:
        InputError: the metric is unknown.

    Example:
        >>> metric_column("fr8").long_name
        'failure rate: faces with an NME above 8 %'
    """
    metric = Metric.parse(name)
    if metric.threshold is None:
        return MetricColumn(NME, metric.title, "normalised mean error", "%", NME_DIGITS, True)
    at = threshold_text(metric.threshold)
    if metric.kind == "fr":
        return MetricColumn(name, metric.title, f"failure rate: faces with an NME above {at} %", "%", 2, True)
    text = f"area under the cumulative error curve up to {at} %"
    return MetricColumn(name, metric.title, text, "fraction", 4, False)


@dataclass(frozen=True)
class ScoreValue:
    """A score, its interval and its mark."""

    value: float | None
    text: str
    interval: str
    mark: str
    """``best``, ``tie`` (not significantly different from the best) or empty."""
    count: str
    """For a failure rate the number of faces that fail, such as ``9``; empty for the other metrics."""


@dataclass(frozen=True)
class ScoreRow:
    """One cell's scores over the subsets."""

    cell: CellView
    values: tuple[ScoreValue, ...]


@dataclass(frozen=True)
class MetricTable:
    """One metric: a column per subset, a row per cell."""

    metric: MetricColumn
    subsets: tuple[tuple[str, str], ...]
    """Name and number of faces: ``326``, or ``24 of 326`` if the subset is partial."""
    rows: tuple[ScoreRow, ...]
    interval_note: str
    headline: tuple[tuple[HeadlineCell, ScoreRow], ...]

    @property
    def groups(self) -> tuple[tuple[str, tuple[ScoreRow, ...]], ...]:
        """The rows of each network."""
        models = dict.fromkeys(row.cell.model for row in self.rows)
        return tuple((model, tuple(row for row in self.rows if row.cell.model == model)) for model in models)

    @property
    def headline_groups(self) -> tuple[tuple[str, tuple[tuple[HeadlineCell, ScoreRow], ...]], ...]:
        """The headline rows of each network."""
        models = dict.fromkeys(head.cell.model for head, _ in self.headline)
        return tuple((model, tuple(pair for pair in self.headline if pair[0].cell.model == model)) for model in models)


@dataclass(frozen=True)
class BestScore:
    """The cell with the lowest NME over all faces."""

    cell: CellView
    nme: str
    interval: str


def section(view: RunView) -> tuple[MetricTable, ...]:
    """The tables of NME, and of FR and AUC at the run's thresholds; empty for a run without cells."""
    names = metric_names(view.run.record.thresholds)
    return tuple(_table(view, metric_column(name)) for name in names) if view.cells else ()


def _table(view: RunView, column: MetricColumn) -> MetricTable:
    digits = _digits(view, column)
    marks = {subset: _marks(view, column, mask) for subset, mask in view.masks.items()}
    rows = tuple(
        ScoreRow(
            cell,
            tuple(
                _value(view.scores.get((cell.id, subset), {}), column, digits, marks[subset].get(cell.index, ""))
                for subset in view.masks
            ),
        )
        for cell in view.cells
    )
    return MetricTable(
        column,
        tuple((s, _faces(view, s)) for s in view.masks),
        rows,
        _interval_note(view),
        tuple((head, rows[head.cell.index]) for head in view.headline),
    )


def _marks(view: RunView, column: MetricColumn, mask: NDArray[np.bool_]) -> dict[int, str]:
    """Return the mark of each cell by its index; mixed and diverged cells are not ranked and have none."""
    ranked = [cell.index for cell in view.cells if cell.ranked]
    if not ranked:
        return {}
    found = best_and_ties(
        metrics.per_face(view.nme[ranked][:, mask], column.key),
        view.run.faces.clusters[mask],
        lower_is_better=column.lower_is_better,
    )
    return dict(zip(ranked, found, strict=True))


def _value(score: Any, column: MetricColumn, digits: int, mark: str) -> ScoreValue:
    value, low, high = (_finite(score.get(f"{column.key}{end}")) for end in ("", "_low", "_high"))
    failures = _finite(score.get(f"{column.key}_count"))  # only failure rates have this column
    shown = adaptive_decimals(value, digits) if column.key == NME else digits
    return ScoreValue(
        value,
        number(value, shown),
        "" if low is None or high is None else f"{low:.{shown}f}–{high:.{shown}f}",
        mark if value is not None else "",
        "" if failures is None else f"{failures:.0f}",
    )


def _digits(view: RunView, column: MetricColumn) -> int:
    """The metric's decimals, and one more for NME if some cell is below 1 %, as on ideal heatmaps."""
    if column.key != NME or not view.nme.size:
        return column.digits
    return column.digits + int(np.nanmin(np.nanmean(view.nme, axis=1)) < 1)


def _finite(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _faces(view: RunView, subset: str) -> str:
    faces, expected = int(view.masks[subset].sum()), view.run.record.dataset.expected.get(subset)
    return f"{faces}" if expected in (None, faces) else f"{faces} of {expected}"


def _interval_note(view: RunView) -> str:
    score = next(iter(view.scores.values()), {})
    if _finite(score.get("nme_low")) is None:
        return "This run has no stored intervals."
    return "Ranges are 95 % bootstrap intervals over photographs."


def best(tables: Sequence[MetricTable]) -> BestScore | None:
    """The ranked cell with the lowest NME over all faces; None without scores or ranked cells."""
    rows = [r for table in tables[:1] for r in table.rows if r.values[0].value is not None and r.cell.ranked]
    if not rows:
        return None
    row = min(rows, key=lambda row: row.values[0].value or 0.0)
    return BestScore(row.cell, row.values[0].text, row.values[0].interval or DASH)
