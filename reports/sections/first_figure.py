"""The figure of the first screen: NME by decoder and network."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nmebench.reports.render import svg
from nmebench.reports.render.text import adaptive_number, display
from nmebench.reports.sections.differences import DecoderGains
from nmebench.reports.sections.scores import NME_DIGITS
from nmebench.reports.view import COLOURS, CellView, RunView, short_names

__all__ = ["decoder_order", "draw", "protocols", "shown_cells"]


def shown_cells(view: RunView, gains: DecoderGains | None) -> tuple[CellView, ...]:
    """The cells of the first screen: each network under the flip test and box of the gains that the page shows first.

    A network without gains has those of its first headline cell. Diverged cells and presets on another grid are left
    out.
    """
    first = {ladder.plain.model: ladder.plain for ladder in (gains.shown if gains else ())}
    for head in view.headline:
        first.setdefault(head.cell.model, head.cell)
    return tuple(
        cell
        for model in view.models
        for cell in view.cells
        if (cell.model, cell.flip, cell.box) == (model, first[model].flip, first[model].box) and cell.ranked
    )


def decoder_order(view: RunView, cells: Sequence[CellView]) -> list[str]:
    """The decoders of the cells, the lowest NME first: the order of the figure and of the table beside it."""
    return sorted(dict.fromkeys(cell.decoder for cell in cells), key=lambda decoder: _excess(view, cells, decoder))


def protocols(cells: Sequence[CellView]) -> str:
    """Flip test and box of some cells in words, each combination once."""
    return "; ".join(dict.fromkeys(f"{cell.flip_text}, box {display(cell.box, 40)}" for cell in cells))


def draw(view: RunView, gains: DecoderGains | None) -> tuple[Markup | None, str]:
    """Draw NME by decoder and network with 95 % intervals.

    Returns:
        The figure and the protocols in words; None and an empty text for fewer than two cells.
    """
    cells = shown_cells(view, gains)
    if len(cells) < 2:
        return None, ""
    rows = decoder_order(view, cells)[::-1]
    shown = {model: [cell for cell in cells if cell.model == model] for model in view.models}
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
            f"{c.short_label}: {adaptive_number(float(view.nme[c.index].mean()), NME_DIGITS)} %" for c in cells
        ),
    )
    return figure, protocols(cells)


def _excess(view: RunView, cells: Sequence[CellView], decoder: str) -> float:
    """Mean over networks of a decoder's NME minus the network's lowest one, percent points."""
    means = view.nme.mean(1)
    values = [
        float(means[c.index] - min(means[d.index] for d in cells if d.model == c.model))
        for c in cells
        if c.decoder == decoder
    ]
    return sum(values) / len(values)
