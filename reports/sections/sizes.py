"""Error against the size of the face in the photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from nmebench.reports.render import svg
from nmebench.reports.render.text import adaptive_number
from nmebench.reports.view import CellView, RunView
from nmebench.statistics import paired_difference

__all__ = ["SizePlot", "SizeRow", "bins", "interval", "section"]

_BINS = 8
_FEWEST = 5
"""Fewest faces in a bin."""


@dataclass(frozen=True)
class SizeRow:
    """Mean NME of a network's best cell by bin of face size."""

    cell: CellView
    texts: tuple[str, ...]


@dataclass(frozen=True)
class SizePlot:
    """The plot, and the same values as a table."""

    figure: Markup
    bins: tuple[tuple[str, int], ...]
    """Range of sizes, px, and number of faces."""
    rows: tuple[SizeRow, ...]


def bins(size: NDArray[np.float64], count: int = _BINS) -> list[NDArray[np.int64]]:
    """Split faces into bins of equal count, from small to large; ties keep the order of the faces.

    Args:
        size: ``[N]`` px.
        count: number of bins; fewer if a bin would have fewer than 5 faces.

    Returns:
        Indices of the faces in each bin.

    Example:
        >>> [part.tolist() for part in bins(np.array([5.0, 1, 9, 3, 7, 2, 8, 4, 6, 0]), count=2)]
        [[9, 1, 5, 3, 7], [0, 8, 4, 6, 2]]
    """
    order = np.argsort(size, kind="stable")
    return [part for part in np.array_split(order, max(1, min(count, len(order) // _FEWEST))) if len(part)]


def interval(nme: NDArray[np.float64], clusters: NDArray[np.int64]) -> tuple[float, float]:
    """Return the 95 % interval of a bin's mean NME, percent; NaN if all of its faces are in one photograph.

    Faces of one photograph are not independent, so the interval is that of the paired test, whose variance adds up
    photographs.

    Args:
        nme: ``[N]`` percent.
        clusters: int ``[N]``, the number of each face's photograph.

    Example:
        >>> [round(end, 2) for end in interval(np.array([3.0, 4.0, 5.0, 4.0]), np.arange(4))]
        [2.7, 5.3]
        >>> [round(end, 2) for end in interval(np.array([3.0, 3.0, 5.0, 5.0]), np.array([0, 0, 1, 1]))]
        [-8.71, 16.71]
    """
    found = paired_difference(np.zeros(len(nme)), nme, clusters)
    return found.low, found.high


def section(view: RunView) -> SizePlot | None:
    """Plot the NME of each network's best cell over eight bins of face size; None for fewer than 10 faces.

    A network all of whose cells diverged is left out. Face size is the square root of the area of the face's box, in
    image px.
    """
    faces = view.run.faces
    if len(faces) < 2 * _FEWEST or all(cell.diverged for cell in view.cells):
        return None
    size = np.sqrt(np.abs(faces.size[:, 0] * faces.size[:, 1]))
    parts = bins(size)
    middle = np.array([np.median(size[part]) for part in parts])
    drawing, axes = svg.figure(4.6, 3.0)
    if middle[0] > 0 and middle[-1] / middle[0] > 3:
        ticks = [m * 10**e for e in range(5) for m in (1, 2, 5) if middle[0] * 0.8 < m * 10**e < middle[-1] * 1.25]
        svg.log_x_axis(axes, ticks)
    rows = []
    best = [cell for cell in view.best_of_model.values() if not cell.diverged]
    for place, cell in enumerate(best):
        nme = view.nme[cell.index]
        mean = np.array([nme[part].mean() for part in parts])
        low, high = np.array([interval(nme[part], faces.clusters[part]) for part in parts]).T
        shift = 1 + 0.012 * (place - (len(best) - 1) / 2)
        axes.errorbar(
            middle * shift,
            mean,
            yerr=(mean - low, high - mean),
            color=svg.series(cell.colour),
            linewidth=1.3,
            elinewidth=0.9,
            capsize=2,
            marker="o",
            markersize=3.5,
            linestyle=svg.line_style(cell.dashed),
        )
        rows.append(SizeRow(cell, tuple(adaptive_number(m) for m in mean)))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("face size in the photograph, px")
    axes.set_ylabel("mean NME, %")
    figure = svg.render(
        drawing,
        "sizes",
        title="NME against face size",
        description="Mean NME with 95 % intervals over bins of equal count; the table below has the same values.",
    )
    ranges = tuple((f"{size[part].min():.0f}–{size[part].max():.0f}", len(part)) for part in parts)
    return SizePlot(figure, ranges, tuple(rows))
