"""Cumulative error distributions: the share of faces whose NME is at most x, on a linear and on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from nmebench.reports.render import svg
from nmebench.reports.view import RunView

__all__ = ["Ced", "Curves", "counts", "grids", "packed", "section"]

_POINTS = 120
_LIMITS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_DECADES = tuple(m * 10.0**e for e in range(-9, 10) for m in (1, 2, 5))


@dataclass(frozen=True)
class Curves:
    """One axis: its name, thresholds ``[P]`` percent NME, the drawn figure and where its axes lie in it."""

    name: str
    thresholds: NDArray[np.float64]
    figure: Markup
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Ced:
    """Both axes and what the page's script needs to draw another subset and to read values off."""

    axes: tuple[Curves, Curves]
    data: Mapping[str, Any]


def grids(nme: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds, percent, of the linear and the logarithmic axis for NMEs ``[C, N]``.

    The linear axis ends at 10 %, the field's usual threshold, or earlier where all cells are far below it; the
    logarithmic one spans the errors that occur.
    """
    finite = nme[np.isfinite(nme)]
    high = float(np.nanmax(np.nanpercentile(nme, 97, axis=1))) if finite.size else 10.0
    linear = np.linspace(0, next((limit for limit in _LIMITS if limit >= high), _LIMITS[-1]), _POINTS + 1)
    positive = finite[finite > 0]
    low, top = (float(np.percentile(positive, 0.5)), float(positive.max())) if positive.size else (0.1, 10.0)
    first = max((d for d in _DECADES if d <= low), default=_DECADES[0])
    last = min((d for d in _DECADES if d >= top and d > first), default=_DECADES[-1])
    return linear, np.geomspace(first, last, _POINTS + 1)


def counts(nme: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Faces with an NME of at most each threshold: ``[C, N]`` and ``[P]`` to ``[C, P]``."""
    ordered = np.sort(nme, axis=1)
    return np.stack([np.searchsorted(row, thresholds, side="right") for row in ordered]).astype(np.int64)


def _draw(view: RunView, name: str, thresholds: NDArray[np.float64], share: NDArray[np.float64]) -> Curves:
    drawing, axes = svg.figure(4.4, 3.3)
    if name == "log":
        axes.set_xscale("log")
        ticks = [t for t in _DECADES if thresholds[0] * 0.999 <= t <= thresholds[-1] * 1.001]
        if len(ticks) > 8:
            ticks = [t for t in ticks if f"{t:e}".startswith("1")]
            ticks = ticks[:: 1 + len(ticks) // 7]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for cell in view.cells:
        axes.plot(
            thresholds,
            share[cell.index],
            color=svg.series(cell.colour),
            linewidth=1.5 if len(view.cells) <= 12 else 0.9,
            linestyle=(0, (4, 2)) if cell.dashed else "-",
            gid=f"cell-{cell.index}",
        )
    axes.set_xlim(thresholds[0], thresholds[-1])
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.set_xlabel(f"NME, %{' (logarithmic)' if name == 'log' else ''}")
    axes.set_ylabel("faces with at most this NME")
    box = svg.axes_box(drawing, axes)
    kind = "logarithmic" if name == "log" else "linear"
    markup = svg.render(
        drawing,
        f"ced-{name}",
        title=f"Cumulative error distribution, {kind} axis",
        description="One curve a cell, in its network's colour; the values at a chosen NME are in the table beside it.",
    )
    return Curves(name, thresholds, markup, box)


def section(view: RunView) -> Ced | None:
    """Curves of all faces, and the counts of every subset for the page's script; None without faces or cells."""
    if not view.cells or not view.nme.size:
        return None
    linear, log = grids(view.nme)
    tables: dict[str, dict[str, list[list[int]]]] = {"linear": {}, "log": {}}
    drawn = []
    for name, thresholds in (("linear", linear), ("log", log)):
        for subset, mask in view.masks.items():
            per_cell = counts(view.nme[:, mask], thresholds)
            tables[name][subset] = packed(per_cell)
            if subset == "test":
                drawn.append(_draw(view, name, thresholds, per_cell / max(int(mask.sum()), 1)))
    data = {
        "subsets": list(view.masks),
        "faces": {subset: int(mask.sum()) for subset, mask in view.masks.items()},
        "axes": {
            curves.name: {
                "low": float(curves.thresholds[0]),
                "high": float(curves.thresholds[-1]),
                "points": _POINTS,
                "box": list(curves.box),
                "steps": tables[curves.name],
            }
            for curves in drawn
        },
    }
    return Ced((drawn[0], drawn[1]), data)


def packed(per_cell: NDArray[np.int64]) -> list[list[int]]:
    """Counts ``[C, P]`` as increments, which are short; -n stands for n zeros in a row, the last zeros are left out."""
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
