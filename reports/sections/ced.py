"""Cumulative error distributions (CED): the share of faces with an NME of at most x, on a linear and a log axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.protocol import THRESHOLD
from nmebench.reports.render import svg
from nmebench.reports.render.text import display, number
from nmebench.reports.view import CellView, RunView, short_names

__all__ = ["CedAxis", "CedPlot", "counts", "packed", "section", "thresholds"]

_POINTS = 120
"""Number of steps of a curve."""
_LINEAR_ENDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Ends of the linear axis below the threshold, percent."""
_LOG_TICKS = tuple(m * 10.0**e for e in range(-9, 10) for m in (1, 2, 5))


@dataclass(frozen=True)
class CedAxis:
    """The curves of all faces on one axis."""

    name: str
    """``linear`` or ``log``."""
    thresholds: NDArray[np.float64]
    """``[P]`` percent NME."""
    figure: Markup
    box: tuple[float, float, float, float]
    """Left, top, width and height of the axes in the figure."""


@dataclass(frozen=True)
class CedPlot:
    """The headline cells on both axes, their values, and the data with which the page's script redraws them."""

    axes: tuple[CedAxis, CedAxis]
    subsets: tuple[str, ...]
    at: str
    """The NME of the values, percent."""
    shares: tuple[tuple[CellView, str], ...]
    """Headline cells with their share of faces at that NME, highest first."""
    all_cells: Markup | None
    """The curves of all cells; None if the headline cells are all."""
    diverged: tuple[str, ...]
    """Drawn cells that diverged: they do not decide the axes."""
    data: Mapping[str, Any]


def thresholds(nme: NDArray[np.float64], end: float = THRESHOLD) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds of the linear and the logarithmic axis.

    The linear axis ends at the run's threshold of FR and AUC, or earlier if all cells are far below it. The
    logarithmic axis spans the errors that occur.

    Args:
        nme: ``[C, N]`` percent.
        end: the threshold, percent.

    Returns:
        Two arrays ``[P]``, percent.
    """
    finite = nme[np.isfinite(nme)]
    high = float(np.nanmax(np.nanpercentile(nme, 97, axis=1))) if finite.size else end
    ends = [*(nearer for nearer in _LINEAR_ENDS if nearer < end), end]
    linear = np.linspace(0, next((nearer for nearer in ends if nearer >= high), end), _POINTS + 1)
    positive = finite[finite > 0]
    low, top = (float(np.percentile(positive, 0.5)), float(positive.max())) if positive.size else (end / 100, end)
    first = max((t for t in _LOG_TICKS if t <= low), default=_LOG_TICKS[0])
    last = min((t for t in _LOG_TICKS if t >= top and t > first), default=_LOG_TICKS[-1])
    return linear, np.geomspace(first, last, _POINTS + 1)


def counts(nme: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of faces at or below each threshold: NME ``[C, N]`` and thresholds ``[P]`` to ``[C, P]``."""
    return np.stack([metrics.ced_counts(row, points) for row in nme])


def section(view: RunView) -> CedPlot | None:
    """Draw the headline cells' curves and count those of every subset; None without faces or cells."""
    if not view.cells or not view.nme.size:
        return None
    cells = [head.cell for head in view.headline]
    ranked = [cell.index for cell in cells if not cell.diverged] or [cell.index for cell in cells]
    nme = view.nme[[cell.index for cell in cells]]
    drawn, steps = [], {}
    axes = thresholds(view.nme[ranked], view.run.record.thresholds[0])
    for name, points in zip(("linear", "log"), axes, strict=True):
        by_subset = {subset: counts(nme[:, mask], points) for subset, mask in view.masks.items()}
        drawn.append(_draw(view, name, points, by_subset["test"] / max(int(view.masks["test"].sum()), 1)))
        steps[name] = {subset: packed(per_cell) for subset, per_cell in by_subset.items()}
    data = {
        "cells": [cell.index for cell in cells],
        "subsets": list(view.masks),
        "faces": {subset: int(mask.sum()) for subset, mask in view.masks.items()},
        "axes": {
            axis.name: {
                "low": float(axis.thresholds[0]),
                "high": float(axis.thresholds[-1]),
                "points": _POINTS,
                "box": list(axis.box),
                "steps": steps[axis.name],
            }
            for axis in drawn
        },
    }
    end = float(drawn[0].thresholds[-1])
    shares = sorted(((float(metrics.ced(view.nme[c.index], [end])[0]), -c.index, c) for c in cells), reverse=True)
    return CedPlot(
        (drawn[0], drawn[1]),
        tuple(view.masks),
        number(end, 3).rstrip("0").rstrip("."),
        tuple((cell, f"{100 * share:.1f} %") for share, _, cell in shares),
        _draw_all(view, drawn[0].thresholds[::4]) if len(view.cells) > len(cells) else None,
        tuple(f"{cell.short_label} ({cell.diverged})" for cell in cells if cell.diverged),
        data,
    )


def _figure(name: str, points: NDArray[np.float64], height: float) -> tuple[Figure, Axes]:
    drawing, axes = svg.figure(5.0, height)
    if name == "log":
        ticks = [t for t in _LOG_TICKS if points[0] * 0.999 <= t <= points[-1] * 1.001]
        if len(ticks) > 8:
            ticks = [t for t in ticks if f"{t:e}".startswith("1")]
            ticks = ticks[:: 1 + len(ticks) // 7]
        svg.log_x_axis(axes, ticks)
    axes.set_xlim(points[0], points[-1])
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.set_xlabel(f"NME, %{' (logarithmic)' if name == 'log' else ''}")
    axes.set_ylabel("faces with at most this NME")
    return drawing, axes


def _draw(view: RunView, name: str, points: NDArray[np.float64], share: NDArray[np.float64]) -> CedAxis:
    """One axis with the headline cells: the colour is the network, the dash is the decoder; direct labels."""
    height = max(3.1, 0.29 * len(view.headline) + 0.7)
    drawing, axes = _figure(name, points, height)
    labels = []
    networks = dict(zip(view.models, short_names(view.models), strict=True))
    for place, head in enumerate(view.headline):
        cell = head.cell
        axes.plot(
            points,
            share[place],
            color=svg.series(cell.colour),
            linewidth=1.5,
            linestyle=svg.line_style(head.dash + cell.dashed),
            gid=f"cell-{cell.index}",
        )
        area = float(np.trapezoid(share[place], points)) / float(points[-1] - points[0])
        protocol = _cut(f"{cell.decoder_label} {cell.flip if 'flip' in cell.differing else ''}".strip())
        text = f"{_cut(networks[cell.model])}\n{protocol}" if len(view.models) > 1 else protocol
        # Curves that end together keep the order of their areas.
        labels.append((float(share[place][-1]) + 1e-3 * area, text, svg.series(cell.colour), head.dash + cell.dashed))
    svg.direct_labels(axes, labels, gap=(0.27 if len(view.models) > 1 else 0.15) / (height - 0.6))
    box = svg.axes_box(drawing, axes)
    markup = svg.render(
        drawing,
        f"ced-{name}",
        title=f"Cumulative error distribution, {'logarithmic' if name == 'log' else 'linear'} axis",
        description="One labelled curve per headline cell; the colour is the network, the dash is the decoder. The "
        "table beside the plot has the values at the chosen NME.",
    )
    return CedAxis(name, points, markup, box)


def _cut(name: str, limit: int = 28) -> str:
    """A printable name of at most ``limit`` characters for a label in a figure; the table has the full name."""
    text = display(name, 200)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _draw_all(view: RunView, points: NDArray[np.float64]) -> Markup:
    """All cells on the linear axis, without labels: filters and titles identify the curves."""
    drawing, axes = _figure("linear", points, 3.1)
    for cell, row in zip(view.cells, counts(view.nme, points) / max(view.nme.shape[1], 1), strict=True):
        axes.plot(points, row, color=svg.series(cell.colour), linewidth=0.9, gid=f"cell-{cell.index}")
    return svg.render(
        drawing,
        "ced-all",
        title="Cumulative error distribution of all cells",
        description="One curve per cell in its network's colour.",
    )


def packed(per_cell: NDArray[np.int64]) -> list[list[int]]:
    """Pack counts ``[C, P]`` into short lists of increments.

    A negative number -n is a run of n zeros; trailing zeros are left out.

    Example:
        >>> packed(np.array([[0, 0, 0, 2, 2, 5]]))
        [[-3, 2, -1, 3]]
    """
    rows = []
    for increments in np.diff(per_cell, axis=1, prepend=0).tolist():
        row: list[int] = []
        for step in increments:
            if step:
                row.append(step)
            elif row and row[-1] < 0:
                row[-1] -= 1
            else:
                row.append(-1)
        rows.append(row[:-1] if row and row[-1] < 0 else row)
    return rows
