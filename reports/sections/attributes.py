"""NME by attribute: a dot plot of the headline cells over the subsets, with 95 % intervals."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from nmebench.reports.render import svg
from nmebench.reports.render.text import adaptive_number, display
from nmebench.reports.view import CellView, RunView, short_names

__all__ = ["AttributePlot", "section"]


@dataclass(frozen=True)
class AttributePlot:
    """The plot; the table of scores has the same values."""

    figure: Markup
    cells: tuple[CellView, ...]
    """The drawn cells: one per network."""
    diverged: tuple[str, ...]
    """Headline cells that are left out because they diverged."""


def section(view: RunView) -> AttributePlot | None:
    """Plot each network's reported cell, or its best one, on every subset; None without attribute subsets."""
    subsets = list(view.masks)
    firsts: dict[str, CellView] = {}
    for head in view.headline:
        if head.cell.ranked:
            firsts.setdefault(head.cell.model, head.cell)
    cells = tuple(firsts.values())
    if len(subsets) < 2 or not cells:
        return None
    drawing, axes = svg.figure(4.7, 0.8 + 0.1 * len(subsets) * max(3, len(cells)))
    order = subsets[::-1]
    names = dict(zip(view.models, short_names(view.models), strict=True))
    for number, cell in enumerate(cells):
        colour = svg.series(cell.colour)
        for y, subset in enumerate(order):
            score = view.scores.get((cell.id, subset))
            if score is None:
                continue
            height = y + 0.18 * ((len(cells) - 1) / 2 - number)
            axes.plot([float(score["nme_low"]), float(score["nme_high"])], [height] * 2, color=colour, linewidth=1.1)
            axes.plot([float(score["nme"])], [height], "o", color=colour, markersize=3.8)
    heads = {subset: f"{display(subset, 24)} ({int(view.masks[subset].sum())})" for subset in order}
    axes.set_yticks(range(len(order)), [heads[subset] for subset in order])
    axes.set_ylim(-0.6, len(order) - 0.1)
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("NME, %")
    tops = [float(view.scores.get((cell.id, "test"), {}).get("nme", 0)) for cell in cells]
    svg.top_labels(
        drawing,
        axes,
        [
            (x, display(names[cell.model], 26), svg.series(cell.colour))
            for x, cell in zip(tops, cells, strict=True)
            if len(view.models) > 1
        ],
    )
    figure = svg.render(
        drawing,
        "attributes",
        title="NME by attribute",
        description="; ".join(_description(view, cell) for cell in cells),
    )
    left_out = tuple(f"{h.cell.short_label} ({h.cell.diverged})" for h in view.headline if h.cell.diverged)
    return AttributePlot(figure, cells, left_out)


def _description(view: RunView, cell: CellView) -> str:
    values = [
        f"{display(subset, 24)} {adaptive_number(float(view.scores[cell.id, subset]['nme']))} %"
        for subset in view.masks
        if (cell.id, subset) in view.scores
    ]
    return f"{cell.short_label}: {', '.join(values)}"
