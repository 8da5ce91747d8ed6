"""NME of the checkpoints of one training against the epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from nmebench.printable import counted
from nmebench.reports.render import svg
from nmebench.reports.render.text import adaptive_number, display
from nmebench.reports.view import CellView, RunView
from nmebench.statistics import best_and_ties

__all__ = ["MAX_LINES", "CheckpointRow", "CheckpointSeries", "Line", "section"]

MAX_LINES = 8
"""Largest number of lines in a plot; the lines with the lowest errors are kept."""


@dataclass(frozen=True)
class CheckpointRow:
    """One checkpoint of one line."""

    name: str
    step: str
    """Number of the epoch or iteration; a dash if neither the name nor the file states one."""
    line: str
    nme: str
    interval: str
    mark: str
    """``best``, ``tie`` (not significantly different from the best one of its line) or empty; ``diverged on 8 faces``
    for a diverged checkpoint, which is compared with others only if all of its line diverged."""


@dataclass(frozen=True)
class Line:
    """The checkpoints of a training in one protocol."""

    label: str
    """Decoder, flip test and box, as far as they differ; empty for the only line."""
    colour: int


@dataclass(frozen=True)
class CheckpointSeries:
    """The checkpoints of one training: plot, key, sentence and table."""

    name: str
    unit: str
    """``epoch`` or ``iteration``."""
    figure: Markup | None
    """None if fewer than two checkpoints have a number."""
    lines: tuple[Line, ...]
    left_out: int
    """Number of lines that the plot leaves out."""
    diverged: int
    """Number of checkpoints that the plot leaves out because they diverged."""
    text: str
    """The best checkpoint, the last one, and how many are not significantly different."""
    rows: tuple[CheckpointRow, ...]


@dataclass(frozen=True)
class _Point:
    cell: CellView
    step: int | None
    weights: str


def section(view: RunView) -> tuple[CheckpointSeries, ...]:
    """Plot the NME over all faces against the epoch, one plot per training; empty without several checkpoints.

    The intervals are those of the table of scores: 95 %, from photographs drawn with replacement.
    """
    if not len(view.run.faces):
        return ()
    found = []
    for number, name in enumerate(_names(view)):
        lines = _lines(view, name)
        if sum(len(points) for points in lines.values()) > 1:
            found.append(_series(view, number, name, lines))
    return tuple(found)


def _names(view: RunView) -> list[str]:
    records = [model.checkpoint for model in view.run.record.models if model.checkpoint is not None]
    return list(dict.fromkeys(record.series for record in records))


def _unit(view: RunView, name: str) -> str | None:
    """The unit of most files of a series; None if no file has a number."""
    records = [model.checkpoint for model in view.run.record.models]
    units = [record.unit for record in records if record is not None and record.series == name and record.unit]
    return max(dict.fromkeys(units), key=units.count, default=None)


def _lines(view: RunView, name: str) -> dict[tuple[str, str, str], list[_Point]]:
    """The points of each protocol (decoder, flip test, box) in the order of the steps; unnumbered files last."""
    models = {m.name: m for m in view.run.record.models if m.checkpoint is not None and m.checkpoint.series == name}
    unit = _unit(view, name)
    lines: dict[tuple[str, str, str], list[_Point]] = {}
    for cell in view.cells:
        model = models.get(cell.model)
        if model is None or model.checkpoint is None or cell.mixed:
            continue
        step = model.checkpoint.step if model.checkpoint.unit == unit else None
        point = _Point(cell, step, model.weights_name or cell.model)
        lines.setdefault((cell.decoder_label, cell.flip, cell.box), []).append(point)
    for points in lines.values():
        points.sort(key=lambda point: (point.step is None, point.step or 0, point.cell.index))
    return lines


def _series(
    view: RunView, number: int, name: str, lines: Mapping[tuple[str, str, str], Sequence[_Point]]
) -> CheckpointSeries:
    unit = _unit(view, name) or "epoch"
    order = sorted(lines, key=lambda key: min(_score(view, point)["nme"] for point in lines[key]))
    drawn = {key: _compared(lines[key]) for key in lines if key in order[:MAX_LINES]}
    labels = {key: lines[key][0].cell.label_without(("model",)) if len(lines) > 1 else "" for key in lines}
    every = _compared([point for points in lines.values() for point in points])
    best = min(every, key=lambda point: _score(view, point)["nme"])
    best_key = next(key for key in lines if best in lines[key])
    marks = {point.cell.index: point.cell.diverged for points in lines.values() for point in points}
    for points in map(_compared, lines.values()):
        values = np.stack([view.nme[point.cell.index] for point in points])
        found = best_and_ties(values, view.run.faces.clusters, lower_is_better=True)
        for point, mark in zip(points, found, strict=True):
            marks[point.cell.index] = ", ".join(filter(None, (mark, point.cell.diverged)))
    rows = tuple(
        CheckpointRow(
            name=display(point.weights, 80),
            step="–" if point.step is None else str(point.step),
            line=labels[key],
            nme=adaptive_number(score["nme"]),
            interval=f"{adaptive_number(score['low'])} to {adaptive_number(score['high'])}",
            mark=marks[point.cell.index],
        )
        for key in lines
        for point in lines[key]
        for score in [_score(view, point)]
    )
    return CheckpointSeries(
        name=display(name, 80),
        unit=unit,
        figure=_draw(view, number, name, unit, drawn, best),
        lines=tuple(Line(labels[key], place) for place, key in enumerate(drawn)),
        left_out=len(lines) - len(drawn),
        diverged=sum(len(lines[key]) - len(points) for key, points in drawn.items()),
        text=_text(view, lines[best_key], best, marks, unit),
        rows=rows,
    )


def _compared(points: Sequence[_Point]) -> list[_Point]:
    """The points that didn't diverge; all of them if all did."""
    return [point for point in points if not point.cell.diverged] or list(points)


def _score(view: RunView, point: _Point) -> dict[str, float]:
    row: Mapping[str, Any] = view.scores[point.cell.id, "test"]
    return {"nme": float(row["nme"]), "low": float(row["nme_low"]), "high": float(row["nme_high"])}


def _draw(
    view: RunView,
    number: int,
    name: str,
    unit: str,
    lines: Mapping[tuple[str, str, str], Sequence[_Point]],
    best: _Point,
) -> Markup | None:
    steps = sorted({point.step for points in lines.values() for point in points if point.step is not None})
    if len(steps) < 2:
        return None
    drawing, axes = svg.figure(4.6, 2.9)
    shift = min(np.diff(steps)) * 0.08
    for place, points in enumerate(lines.values()):
        numbered = [point for point in points if point.step is not None]
        scores = [_score(view, point) for point in numbered]
        nme = np.array([score["nme"] for score in scores])
        error = np.array([[s["nme"] - s["low"] for s in scores], [s["high"] - s["nme"] for s in scores]]).clip(0)
        x = np.array([float(point.step or 0) for point in numbered]) + shift * (place - (len(lines) - 1) / 2)
        axes.errorbar(
            x, nme, yerr=error, color=svg.series(place), linewidth=1.3, elinewidth=0.9, capsize=2, marker="o",
            markersize=3.5,
        )  # fmt: skip
        for position, point in zip(x, numbered, strict=True):
            if point is best:
                score = _score(view, point)
                side = "right" if position > 0.8 * steps[-1] + 0.2 * steps[0] else "center"
                axes.plot(
                    position, score["nme"], "o", markersize=8, fillstyle="none", color=svg.INK, markeredgewidth=1.2
                )
                axes.annotate(
                    f"best: {unit} {point.step}", (position, score["low"]), (0, -4), textcoords="offset points",
                    ha=side, va="top", color=svg.INK,
                )  # fmt: skip
    axes.margins(y=0.18)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=9))
    axes.set_xlabel(unit)
    axes.set_ylabel("NME, %")
    return svg.render(
        drawing,
        f"checkpoints-{number}",
        title=f"NME of {display(name, 80)} against the {unit}",
        description="NME over all faces with 95 % intervals; the table below has the same values. A ring marks the "
        "checkpoint with the lowest NME.",
    )


def _text(view: RunView, points: Sequence[_Point], best: _Point, marks: Mapping[int, str], unit: str) -> str:
    """The best checkpoint beside the last one of its line."""
    score = _score(view, best)
    where = f"{unit} {best.step}" if best.step is not None else display(best.weights, 80)
    text = f"The lowest NME is {adaptive_number(score['nme'])} % ({where})"
    last = points[-1]
    if last is not best:
        step = f"{unit} {last.step}" if last.step is not None else display(last.weights, 80)
        text += f"; the last checkpoint ({step}) has {adaptive_number(_score(view, last)['nme'])} %"
    ties = sum(marks[point.cell.index].startswith("tie") for point in points)
    others = counted(ties, "other checkpoint")
    return f"{text}. {others} of this line {'is' if ties == 1 else 'are'} not significantly different from the best."
