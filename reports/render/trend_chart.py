"""A small chart of one series over commits as SVG: points, means between the steps, and the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from markupsafe import Markup, escape

from nmebench.history import Series

__all__ = ["trend_chart"]

_WIDTH, _HEIGHT, _EDGE = 260, 84, 7

_SMALLEST_SPAN: Final = 0.02
"""The axis covers at least this many percent points, so that rounding doesn't look like a change."""


def trend_chart(series: Series, positions: Mapping[str, int], titles: Sequence[str]) -> Markup:
    """Draw a series. The picture has no text: the numbers are beside it and in the points' titles.

    Args:
        series: the series with its steps.
        positions: the position of every commit of the history; it gives the x coordinate.
        titles: a title for every point.
    """
    values = [point.nme for point in series.points]
    low, high = min(values), max(values)
    middle, span = (low + high) / 2, max(high - low, _SMALLEST_SPAN)
    last = max(1, max(positions.values()))

    def x(position: float) -> str:
        return f"{_EDGE + (_WIDTH - 2 * _EDGE) * position / last:.1f}"

    def y(value: float) -> str:
        return f"{_HEIGHT / 2 - (_HEIGHT - 2 * _EDGE) * (value - middle) / span:.1f}"

    places = [positions[point.commit] for point in series.points]
    parts = []
    for found in series.steps:
        at = x((positions[found.before.commit] + positions[found.after.commit]) / 2)
        tone = "worse" if found.step.size > 0 else "better"
        parts.append(f'<line class="step {tone}" x1="{at}" x2="{at}" y1="0" y2="{_HEIGHT}"/>')
    ends = [0, *(found.step.index for found in series.steps), len(values)]
    for first, end in pairwise(ends):
        mean = sum(values[first:end]) / (end - first)
        parts.append(
            f'<line class="mean" x1="{x(places[first] - 0.3)}" x2="{x(places[end - 1] + 0.3)}" '
            f'y1="{y(mean)}" y2="{y(mean)}"/>'
        )
    for point, place, value, title in zip(series.points, places, values, titles, strict=True):
        kind = ' class="dirty"' if point.dirty else ""
        parts.append(f'<circle{kind} cx="{x(place)}" cy="{y(value)}" r="2.2"><title>{escape(title)}</title></circle>')
    label = escape(f"NME of {len(values)} commits, from {low:.3f} to {high:.3f} percent, {len(series.steps)} steps")
    return Markup(  # noqa: S704 - numbers, and escaped titles
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )
