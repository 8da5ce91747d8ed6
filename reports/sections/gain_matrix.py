"""The table of the first screen: the gain of each decoder over the plain one, by network."""

from __future__ import annotations

from dataclasses import dataclass

from nmebench.reports.render.text import display, sentence_list
from nmebench.reports.sections import first_figure
from nmebench.reports.sections.differences import DecoderGains
from nmebench.reports.view import RunView, short_names

__all__ = ["GainMatrix", "MatrixEntry", "section"]


@dataclass(frozen=True)
class MatrixEntry:
    """A decoder's gain for one network."""

    text: str
    interval: str
    outcome: str
    """``better``, ``worse`` or empty, for the colour."""
    best: bool
    """True for the network's largest gain and those tied with it."""
    note: str
    """The reason for a missing number, or a remark on it."""
    index: int | None
    """The cell whose faces the number links to."""


@dataclass(frozen=True)
class GainMatrix:
    """Networks x decoders: the gain over the plain decoder in percent points of NME."""

    plain: str
    protocol: str
    """Flip test and box of the compared cells."""
    faces: int
    """Number of faces over which the gains are means."""
    tied: bool
    """True if some network has tied decoders."""
    networks: tuple[tuple[str, str], ...]
    """Short and full name of each network."""
    rows: tuple[tuple[str, tuple[MatrixEntry, ...]], ...]
    """Decoder, and one entry per network; in the order of the figure."""
    left_out: str
    """Names the presets that decode another grid; empty if there are none."""


def section(view: RunView, gains: DecoderGains | None) -> GainMatrix | None:
    """The gains of the ladder that the page shows first for each network; None without gains."""
    if gains is None or not view.cells:
        return None
    ladders = {ladder.plain.model: ladder for ladder in gains.shown}
    models = [model for model in view.models if model in ladders]
    found: dict[str, dict[str, MatrixEntry]] = {}
    for model in models:
        ladder = ladders[model]
        for gain in ladder.gains:
            found.setdefault(gain.cell.decoder, {})[model] = MatrixEntry(
                gain.text,
                gain.interval.replace("+", ""),
                gain.paired.outcome if gain.paired.outcome in ("better", "worse") else "",
                gain in ladder.best,
                "" if gain.outcome in ("better", "worse") else gain.outcome,
                gain.cell.index,
            )
        for cell, why in ladder.left_out:
            if not cell.mixed:
                found.setdefault(cell.decoder, {})[model] = MatrixEntry("", "", "", False, why, cell.index)
    order = [*first_figure.decoder_order(view, first_figure.shown_cells(view, gains)), *found]
    missing = MatrixEntry("–", "", "", False, "not run", None)
    mixed = list(dict.fromkeys(cell.decoder for ladder in gains.shown for cell, _ in ladder.left_out if cell.mixed))
    return GainMatrix(
        plain=display(gains.shown[0].plain.decoder, 40),
        protocol=first_figure.protocols([ladders[model].plain for model in models]),
        faces=len(view.run.faces),
        tied=any(len(ladder.best) > 1 for ladder in gains.shown),
        networks=tuple(
            (display(short, 40), display(name, 80)) for short, name in zip(short_names(models), models, strict=True)
        ),
        rows=tuple(
            (display(name, 40), tuple(found[name].get(model, missing) for model in models))
            for name in dict.fromkeys(order)
            if name in found
        ),
        left_out=sentence_list([display(name, 40) for name in mixed]),
    )
