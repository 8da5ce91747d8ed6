"""Networks x decoders x subsets: NME, FR and AUC with intervals, the best of every column and its ties marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nmebench.reports.render.text import DASH, decimals, number
from nmebench.reports.significance import best_and_ties
from nmebench.reports.view import CellView, RunView

__all__ = ["METRICS", "Metric", "MetricTable", "ScoreRow", "Value", "face_values", "section"]


@dataclass(frozen=True)
class Metric:
    """A column family of ``scores.csv``."""

    key: str
    name: str
    long_name: str
    unit: str
    digits: int
    lower_is_better: bool


METRICS = (
    Metric("nme", "NME", "normalised mean error", "%", 2, True),
    Metric("fr10", "FR@10", "failure rate: faces with an NME above 10 %", "%", 2, True),
    Metric("auc10", "AUC@10", "area under the cumulative error curve up to 10 %", "fraction", 4, False),
)


@dataclass(frozen=True)
class Value:
    """A number, its interval, and whether it is the best of its column or can't be told from the best."""

    value: float | None
    text: str
    interval: str
    mark: str
    """``best``, ``tie`` or empty."""
    count: str
    """A failure rate's faces, such as ``9``; empty for the other metrics."""


@dataclass(frozen=True)
class ScoreRow:
    """A cell's numbers over the subsets."""

    cell: CellView
    values: tuple[Value, ...]


@dataclass(frozen=True)
class MetricTable:
    """One metric: subsets with their faces as columns, cells as rows."""

    metric: Metric
    subsets: tuple[tuple[str, str], ...]
    """Name and ``326``, or ``24 of 326`` where the set is partial."""
    rows: tuple[ScoreRow, ...]
    resamples_note: str


def face_values(nme: np.ndarray, metric: Metric) -> np.ndarray:
    """What a metric averages over faces, from NMEs in percent of any shape.

    FR is the mean of an indicator, AUC (exact form) the mean of ``max(0, 1 - nme / 10)``: so all three metrics can be
    compared face by face.
    """
    if metric.key == "fr10":
        return 100.0 * (nme > 10)
    return np.clip(1 - nme / 10, 0, None) if metric.key == "auc10" else nme


def _digits(view: RunView, metric: Metric) -> int:
    """One digit more where NMEs are below 1 %: the floors of decoders on ideal heatmaps."""
    if metric.key != "nme" or not view.nme.size:
        return metric.digits
    return metric.digits + int(np.nanmin(np.nanmean(view.nme, axis=1)) < 1)


def _float(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def section(view: RunView) -> tuple[MetricTable, ...]:
    """The three tables; empty for a run without cells."""
    if not view.cells:
        return ()
    expected = view.run.record.dataset.expected
    columns = tuple(view.masks)
    tables = []
    for metric in METRICS:
        digits = _digits(view, metric)
        marks = {
            subset: best_and_ties(
                face_values(view.nme[:, mask], metric),
                view.run.faces.clusters[mask],
                lower_is_better=metric.lower_is_better,
            )
            for subset, mask in view.masks.items()
        }
        rows = []
        for cell in view.cells:
            values = []
            for subset in columns:
                score = view.scores.get((cell.id, subset), {})
                low, high = (_float(score.get(f"{metric.key}_{end}")) for end in ("low", "high"))
                value = _float(score.get(metric.key))
                failures = _float(score.get("fr10_count")) if metric.key == "fr10" else None
                shown = decimals(value, digits) if metric.key == "nme" else digits
                values.append(
                    Value(
                        value,
                        number(value, shown),
                        "" if low is None or high is None else f"{low:.{shown}f}–{high:.{shown}f}",
                        marks[subset][cell.index] if value is not None else "",
                        "" if failures is None else f"{failures:.0f}",
                    )
                )
            rows.append(ScoreRow(cell, tuple(values)))
        header = tuple(
            (s, f"{int(view.masks[s].sum())}" + (f" of {expected[s]}" if _partial(view, s) else "")) for s in columns
        )
        tables.append(MetricTable(metric, header, tuple(rows), _note(view)))
    return tuple(tables)


def _partial(view: RunView, subset: str) -> bool:
    whole = view.run.record.dataset.expected.get(subset)
    return whole is not None and whole != int(view.masks[subset].sum())


def _note(view: RunView) -> str:
    score = next(iter(view.scores.values()), {})
    if _float(score.get("nme_low")) is None:
        return "The run stores no intervals."
    return "Ranges are 95 % bootstrap intervals over source images."


def best_text(tables: Sequence[MetricTable]) -> tuple[CellView, str, str] | None:
    """The cell with the lowest NME over all faces, its NME and its interval."""
    rows = [r for table in tables[:1] for r in table.rows if r.values[0].value is not None]
    if not rows:
        return None
    best = min(rows, key=lambda row: row.values[0].value or 0.0)
    return best.cell, best.values[0].text, best.values[0].interval or DASH
