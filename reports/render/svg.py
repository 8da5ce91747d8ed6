"""Matplotlib figures as inline SVG: small, deterministic, and coloured by the page's theme.

A figure is drawn in the placeholder colours :data:`INK`, :data:`MUTED`, :data:`GRID` and :func:`series`, which
:func:`render` replaces by the page's CSS variables. One figure therefore serves the light and the dark theme. Text
stays text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

__all__ = [
    "GRID",
    "INK",
    "MUTED",
    "axes_box",
    "direct_labels",
    "figure",
    "line_style",
    "log_x_axis",
    "render",
    "series",
    "spread",
    "top_labels",
]

INK, MUTED, GRID = "#010203", "#010204", "#010205"

_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--rule)"} | {
    f"#0102{0x10 + i:02x}": f"var(--s{i})" for i in range(8)
}
_STYLE: Mapping[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nmebench",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "path.simplify": True,
    "axes.unicode_minus": True,
}


@contextmanager
def _style() -> Iterator[None]:
    """Apply the report's style over matplotlib's defaults, ignoring the user's matplotlibrc; restore it on exit."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(dict(_STYLE))
        yield


def series(number: int) -> str:
    """Placeholder of the theme's colour ``number`` (0 to 7)."""
    return f"#0102{0x10 + number:02x}"


_DASHES: Sequence[Any] = ("-", (0, (4, 2)), (0, (1.2, 1.4)), (0, (6, 2, 1.2, 2)))


def line_style(number: int) -> Any:
    """Matplotlib's line style ``number``: 0 is solid, 1 to 3 are dashed; further ones repeat."""
    return _DASHES[number % len(_DASHES)]


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Move positions in 0 to 1 apart until they are at least ``gap`` apart, as little as possible; the order stays.

    Example:
        >>> [round(y, 2) for y in spread([0.9, 0.9, 0.2], 0.1)]
        [0.95, 0.85, 0.2]
    """
    gap = min(gap, 1 / max(len(wanted) - 1, 1))
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], -i))
    blocks: list[tuple[float, list[int]]] = []  # the middle of a run of labels, and their numbers
    for i in order:
        blocks.append((wanted[i], [i]))
        while True:
            last = _inside(blocks[-1], gap)
            if len(blocks) > 1 and _inside(blocks[-2], gap)[1] + gap > last[0] + 1e-12:
                (_, a), (_, b) = blocks[-2:]
                blocks[-2:] = [(sum(wanted[j] for j in a + b) / len(a + b), a + b)]
            else:
                break
    placed = [0.0] * len(wanted)
    for block in blocks:
        low, _ = _inside(block, gap)
        for place, i in enumerate(block[1]):
            placed[i] = low + gap * place
    return placed


def _inside(block: tuple[float, list[int]], gap: float) -> tuple[float, float]:
    """The lowest and highest position of a run of labels around its middle, moved into 0 to 1."""
    middle, members = block
    half = gap * (len(members) - 1) / 2
    middle = min(max(middle, half), 1 - half)
    return middle - half, middle + half


def top_labels(drawing: Figure, axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Write labels above the axes in one row, each near its x, without overlap; several rows if one is too narrow.

    Args:
        drawing: the figure of the axes.
        axes: axes whose x limits are final.
        labels: x in data units, text, and placeholder colour.
    """
    low, high = axes.get_xlim()
    width = 72 * float(drawing.get_size_inches()[0]) * 0.72  # points, about the axes' share of the figure
    longest = max((len(text) for _, text, _ in labels), default=0) * 4.9 / width
    rows = max(1, min(len(labels), int(np.ceil(longest * len(labels)))))
    for row in range(rows):
        members = sorted(labels, key=lambda label: label[0])[row::rows]
        wanted = [min(max((x - low) / (high - low), 0.0), 1.0) for x, _, _ in members]
        for place, (_, text, colour) in zip(spread(wanted, longest), members, strict=True):
            axes.annotate(
                text, (place, 1.0), xycoords="axes fraction", xytext=(0, 2 + 10 * row), textcoords="offset points",
                color=colour, ha="center", va="bottom", fontsize=8,
            )  # fmt: skip


def direct_labels(axes: Axes, labels: Sequence[tuple[float, str, str, int]], *, gap: float) -> None:
    """Write labels right of the axes, each joined to the end of its curve by a line in the curve's style.

    Args:
        axes: axes whose y limits are set.
        labels: height of the curve's end in data units, text, placeholder colour, and number of the line style.
        gap: smallest distance between labels, as a fraction of the axes' height.
    """
    low, high = axes.get_ylim()
    ends = [min(max((y - low) / (high - low), 0.0), 1.0) for y, *_ in labels]
    for end, place, (_, text, colour, style) in zip(ends, spread(ends, gap), labels, strict=True):
        axes.plot(
            [1, 1.04, 1.12], [end, place, place], color=colour, linewidth=0.9, linestyle=line_style(style),
            transform=axes.transAxes, clip_on=False,
        )  # fmt: skip
        axes.text(
            1.13, place, text, color=colour, fontsize=7.5, va="center", ha="left", linespacing=1.05,
            transform=axes.transAxes,
        )  # fmt: skip


def log_x_axis(axes: Axes, ticks: Sequence[float]) -> None:
    """Make the x axis logarithmic with ticks at these values and no others."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure in the report's style, ``width`` x ``height`` inches. It uses no pyplot and no global state."""
    with _style():
        drawing = Figure(figsize=(width, height), facecolor="none", layout="constrained")
        FigureCanvasSVG(drawing)
        axes = drawing.add_subplot(facecolor="none")
    return drawing, axes


def render(drawing: Figure, name: str, *, title: str, description: str) -> Markup:
    """Render a figure as an ``<svg>`` element.

    Args:
        drawing: the figure. A ``gid`` of the form ``cell-3`` on an artist becomes ``data-cell="3"`` on its group.
        name: prefix that makes the element's ids unique in the page.
        title: accessible name.
        description: accessible description.
    """
    sink = io.BytesIO()
    with _style():
        empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        drawing.savefig(sink, format="svg", metadata=empty)
    text = sink.getvalue().decode("utf-8")
    text = text[text.index("<svg") :].strip()
    view = re.search(r'viewBox="([^"]+)"', text)
    assert view is not None  # noqa: S101 - matplotlib always writes one
    text = re.sub(r'id="cell-(\d+)"', r'data-cell="\1" class="curve"', text)
    used = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'xlink:href="#', f'href="#{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r' (d|x|y|width|height|transform|points)="([^"]*)"', _rounded, text)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    text = re.sub(r"#0102[0-9a-f]{2}", lambda m: _VARIABLES[m[0]], text)
    text = re.sub(r"\n\s*", "\n", re.sub(r"<g>\s*</g>", "", text))
    body = text[text.index(">", text.index("<svg")) + 1 :]
    head = (
        f'<svg class="figure" viewBox="{view[1]}" role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    )
    return Markup(head + body)  # noqa: S704 - matplotlib's markup and escaped text


def _rounded(match: re.Match[str]) -> str:
    digits = 1 if match[1] == "d" and len(match[2]) > 500 else 2
    value = re.sub(r"-?\d+\.\d{2,}", lambda m: f"{float(m[0]):.{digits}f}".rstrip("0").rstrip("."), match[2])
    return f' {match[1]}="{" ".join(value.split())}"'


def axes_box(drawing: Figure, axes: Axes) -> tuple[float, float, float, float]:
    """Left, top, width and height of the axes in the SVG's units (points); the page's script draws on them.

    The layout is final afterwards.
    """
    with _style():
        for _ in range(3):  # labels beside the axes need several passes until the layout is final
            drawing.canvas.draw()
        drawing.set_layout_engine("none")
        box = axes.get_position()
    width, height = (72 * inches for inches in drawing.get_size_inches())
    left, top = box.x0 * width, (1 - box.y1) * height
    return (round(left, 2), round(top, 2), round(box.width * width, 2), round(box.height * height, 2))
