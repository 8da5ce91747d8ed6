"""The figure of the first screen: NME by decoder and network."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nmebench.reports.render import svg
from nmebench.reports.render.text import adaptive_number, display
from nmebench.reports.sections.scores import METRIC_COLUMNS
from nmebench.reports.view import COLOURS, CellView, RunView, short_names

__all__ = ["draw"]


def draw(view: RunView) -> tuple[Markup | None, str]:
    """Draw NME by decoder and network with 95 % intervals, each network under the protocol of its first headline cell.

    Diverged cells and presets on another grid are left out.

    Returns:
        The figure and the protocols in words; None and an empty text for fewer than two cells.
    """
    shown: dict[str, list[CellView]] = {}
    for model in view.models:
        first = next(h.cell for h in view.headline if h.cell.model == model)
        shown[model] = [
            c for c in view.cells if (c.model, c.flip, c.box) == (model, first.flip, first.box) and c.ranked
        ]
    cells = [cell for group in shown.values() for cell in group]
    if len(cells) < 2:
        return None, ""
    rows = sorted(dict.fromkeys(c.decoder for c in cells), key=lambda d: -_excess(view, cells, d))
    models = [model for model in view.models if shown[model]]
    drawing, axes = svg.figure(4.7, 0.75 + 0.1 * len(rows) * max(2, len(models)))
    names: list[tuple[float, str, str]] = []
    for number, model in enumerate(models):
        colour = svg.series(number % COLOURS)
        for cell in shown[model]:
            score = view.scores.get((cell.id, "test"), {})
            y = rows.index(cell.decoder) + 0.22 * (((len(models) - 1) / 2 - number) if len(models) > 1 else 0)
            value = float(view.nme[cell.index].mean())
            ends = [float(score.get(f"nme_{end}") or value) for end in ("low", "high")]
            axes.plot(ends, [y, y], color=colour, linewidth=1.2, solid_capstyle="butt")
            axes.plot([value], [y], "o", color=colour, markersize=4)
        top = max(shown[model], key=lambda c: rows.index(c.decoder))
        names.append((float(view.nme[top.index].mean()), display(short_names(models)[number], 30), colour))
    axes.set_yticks(range(len(rows)), [display(name, 30) for name in rows])
    axes.set_ylim(-0.6, len(rows) - 0.1)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("NME, % (lower is better)")
    svg.top_labels(drawing, axes, names)
    figure = svg.render(
        drawing,
        "first",
        title="NME by decoder and network",
        description="; ".join(
            f"{c.short_label}: {adaptive_number(float(view.nme[c.index].mean()), METRIC_COLUMNS[0].digits)} %"
            for c in cells
        ),
    )
    firsts = [group[0] for group in shown.values() if group]
    note = "; ".join(dict.fromkeys(f"{cell.flip_text}, box {display(cell.box, 40)}" for cell in firsts))
    return figure, note


def _excess(view: RunView, cells: Sequence[CellView], decoder: str) -> float:
    """Mean over networks of a decoder's NME minus the network's lowest one, percent points."""
    means = view.nme.mean(1)
    values = [
        float(means[c.index] - min(means[d.index] for d in cells if d.model == c.model))
        for c in cells
        if c.decoder == decoder
    ]
    return sum(values) / len(values)
