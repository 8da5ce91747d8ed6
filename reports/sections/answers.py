"""The first screen: does it hold, which decoder earns how much, what did the last change do; and one figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nmebench.reports.render import svg
from nmebench.reports.render.text import adaptive_number, count, display, sentence_list
from nmebench.reports.sections.change import ChangeRow, ChangeSection
from nmebench.reports.sections.differences import DecoderGains
from nmebench.reports.sections.neighbours import Neighbours
from nmebench.reports.sections.scores import METRIC_COLUMNS
from nmebench.reports.sections.verdict import VerdictLine, VerdictSummary
from nmebench.reports.view import COLOURS, CellView, RunView, short_names

__all__ = ["Answer", "Answers", "GainMatrix", "between", "section"]


_NAMED = 4
"""Number of networks whose best decoder the sentence names."""


@dataclass(frozen=True)
class Answer:
    """The answer to one question."""

    word: str
    """One or two words, such as ``holds``."""
    tone: str
    """``good``, ``bad`` or ``open``."""
    sentence: str
    details: tuple[str, ...]
    link: str
    """Anchor of the section with all numbers."""
    link_text: str


@dataclass(frozen=True)
class MatrixEntry:
    """A decoder's gain for one network."""

    text: str
    interval: str
    outcome: str
    """``better``, ``worse`` or empty, for the colour."""
    best: bool
    note: str
    """The reason for a missing number, or a remark on it."""
    index: int | None
    """The cell whose faces the number links to."""


@dataclass(frozen=True)
class GainMatrix:
    """Networks x decoders: the gain over the plain decoder in percent points of NME."""

    plain: str
    networks: tuple[tuple[str, str], ...]
    """Short and full name of each network."""
    rows: tuple[tuple[str, tuple[MatrixEntry, ...]], ...]
    """Decoder, and one entry per network."""
    left_out: str
    """Names the presets that decode another grid; empty if there are none."""


@dataclass(frozen=True)
class Answers:
    """The first screen."""

    holds: Answer
    decoders: Answer
    change: Answer
    matrix: GainMatrix | None
    run: tuple[str, ...]
    """The data and protocol in a few words each."""
    partial: str
    """A warning that faces of the full set are missing; empty if none are."""
    diverged: tuple[str, ...]
    """One line per diverged cell."""
    not_run: tuple[str, ...]
    figure: Markup | None
    figure_note: str


def section(
    view: RunView,
    verdict: VerdictSummary,
    gains: DecoderGains | None,
    change: ChangeSection | None,
    neighbours: Neighbours | None,
) -> Answers:
    """The first screen of a run.

    Args:
        view: the run.
        verdict: the stored verdict.
        gains: the decoders' gains; None if only one decoder ran.
        change: the comparison with a baseline; None without one.
        neighbours: the published rows near the headline cells; None without cells.
    """
    record = view.run.record
    figure, note = _figure(view)
    return Answers(
        holds=_holds(verdict, neighbours),
        decoders=_decoders(view, gains),
        change=_change(change),
        matrix=_matrix(view, gains),
        run=_run(view),
        partial=_partial(view),
        diverged=tuple(
            f"{cell.label}: {cell.diverged} of {len(view.run.faces)}" for cell in view.cells if cell.diverged
        ),
        not_run=tuple(display(line, 500) for line in record.not_run),
        figure=figure,
        figure_note=note,
    )


def _run(view: RunView) -> tuple[str, ...]:
    record = view.run.record
    parts = [f"{display(record.dataset.describe(), 80)} of {display(record.dataset.name, 60)}"]
    decoders = view.distinct("decoder")
    cells = [count(len(view.models), "network")]
    if len(decoders) > 1:
        cells.append(count(len(decoders), "decoder"))
    if len(view.distinct("flip")) > 1:
        cells.append(f"{len(view.distinct('flip'))} flip tests")
    if len(view.distinct("box")) > 1:
        cells.append(count(len(view.distinct("box")), "box"))
    parts.append(" × ".join(cells))
    parts += [f"{name} {value}" for name, value in view.constant if name in ("flip test", "box")]
    return (*parts, f"NME normalised by {display(record.normaliser, 40)}")


def _partial(view: RunView) -> str:
    dataset = view.run.record.dataset
    if "test" not in dataset.expected or dataset.complete:
        return ""
    faces = display(dataset.describe(), 80)
    return f"{faces}: a part of the full set, which is never compared with values for the full set"


def _holds(verdict: VerdictSummary, neighbours: Neighbours | None) -> Answer:
    counts = dict(verdict.counts)
    word = {"good": "Holds", "bad": "Deviates"}.get(verdict.tone, "Not comparable" if verdict.rows else "Not checked")
    details = []
    if verdict.worst is not None:
        details.append(_worst(verdict.worst, deviates=verdict.tone == "bad"))
    rest = [f"{counts[s]} {s}" for s in ("not comparable", "not run") if counts.get(s)]
    if rest and verdict.worst is not None:
        details.append(f"{sentence_list(rest)}.".capitalize())
    if any(row.kind == "committed" for row in verdict.rows):
        details.append("An earlier commit of nmebench made that table; it is not a published result.")
    elif neighbours is not None and not neighbours.obstacle and neighbours.rows:
        row = neighbours.rows[0]
        details.append(
            f"{row.headline.cell.short_label} ({row.nme}) is {between(row.better, row.worse)} among published rows."
        )
    return Answer(word, verdict.tone, verdict.sentence, tuple(details), "reported", "All reported and measured numbers")


def between(better: str, worse: str) -> str:
    """The place between two published rows in words.

    Example:
        >>> between("X (3.94)", "Y (4.02)")
        'between X (3.94) and Y (4.02)'
    """
    if better and worse:
        return f"between {better} and {worse}"
    return f"above the highest, {better}" if better else f"below the lowest, {worse}" if worse else ""


def _worst(line: VerdictLine, *, deviates: bool) -> str:
    name = f"{line.model}, {line.protocol}, {line.metric} of {line.subset}"
    unit = " points" if line.metric in ("NME", "FR@10") else ""
    kind = "Largest deviation" if deviates else "Largest difference"
    return f"{kind}: {line.difference}{unit} ({name}: measured {line.measured}, reported {line.reported})."


def _decoders(view: RunView, gains: DecoderGains | None) -> Answer:
    if gains is None:
        one = "One decoder ran" if view.cells else "No decoder ran"
        if view.cells and all(cell.decoder == "direct" for cell in view.cells):
            one = "The networks predict landmarks without a decoder"
        return Answer("One decoder", "open", f"{one}, so there is nothing to compare.", (), "scores", "All scores")
    best = [ladder.gains[0] for ladder in gains.shown if ladder.gains]
    plain = display(gains.shown[0].plain.decoder, 40)
    top = max(best, key=lambda gain: -gain.paired.difference)
    if top.paired.outcome != "better":
        sentence = f"No decoder is significantly better than {plain}."
        return Answer("No gain", "open", sentence, (), "decoders", "All decoders, protocols and tests")
    by_decoder: dict[str, list[str]] = {}
    for gain in sorted(best, key=lambda gain: gain.paired.difference)[:_NAMED]:
        place = f"{gain.text} on {_network(view, gain.cell)}" if len(view.models) > 1 else gain.text
        by_decoder.setdefault(display(gain.cell.decoder_label, 40), []).append(place)
    parts = [f"{name} earns {sentence_list(places)}" for name, places in by_decoder.items()]
    more = f" ({count(len(best) - _NAMED, 'more network')} below)" if len(best) > _NAMED else ""
    sentence = f"Points of NME over {plain}: {sentence_list(parts)}{more}."
    details = ["Each network's best decoder is named; several can be tied with it."] if len(best) > 1 else []
    return Answer(
        f"Up to {top.text}", "good", sentence, tuple(details), "decoders", "All decoders, protocols and tests"
    )


def _network(view: RunView, cell: CellView) -> str:
    return dict(zip(view.models, short_names(view.models), strict=True))[cell.model]


def _change(change: ChangeSection | None) -> Answer:
    if change is None:
        return Answer(
            "Not compared",
            "open",
            "No earlier run was given. `nmebench report RUN --baseline OLD` compares with one.",
            ("OLD is the folder of a run on the same faces, or a baseline file of `nmebench gate`.",),
            "scores",
            "The scores of this run",
        )
    name = f"{change.name}{f' (commit {change.commit})' if change.commit else ''}"
    if not change.cells:
        reason = change.problems[0] if change.problems else "no cell in common"
        return Answer("Not comparable", "open", f"Compared with {name}: {reason}.", (), "change", "Details")
    worse, better = change.cells_that_are("worse"), change.cells_that_are("better")
    parts = [f"{worse} worse"] if worse else []
    parts += [f"{better} better"] if better else []
    parts += [f"{change.unchanged} unchanged"] if change.unchanged else []
    if change.newly_diverged:
        parts.append(f"{len(change.newly_diverged)} newly diverged")
    sentence = f"{count(change.cells, 'cell')} compared with {name}: {sentence_list(parts)}."
    details = [_subsets(change, outcome) for outcome in ("worse", "better") if change.cells_that_are(outcome)]
    bad = worse or change.newly_diverged
    word = "Worse" if bad else "Better" if better else "Unchanged"
    if not change.changed:
        biggest = max(change.rows, key=lambda row: abs(row.paired.difference))
        details.append(f"Largest difference: {_row_words(biggest)}; not significant or within the margin.")
    details += list(change.problems[:1])
    tone = "bad" if bad else "good"
    return Answer(word, tone, sentence, tuple(details), "change", "Every cell and subset")


def _subsets(change: ChangeSection, outcome: str) -> str:
    """The largest change, and the subsets that changed."""
    rows = [row for row in change.changed if row.changed == outcome]
    subsets = list(dict.fromkeys(display(row.subset, 40) for row in rows))
    if set(subsets) >= {display(row.subset, 40) for row in change.rows}:
        where = "all subsets"
    else:
        where = f"subset{'s' if len(subsets) > 1 else ''} {sentence_list(subsets)}"
    return f"{outcome.capitalize()} on {where}. Largest: {_row_words(rows[0])}."


def _row_words(row: ChangeRow) -> str:
    interval = f" [{row.interval}]" if row.interval else ""
    return (
        f"{row.difference} points{interval} on {display(row.subset, 40)}, {row.cell.short_label} "
        f"({row.before:.3f} → {row.now:.3f} %)"
    )


def _matrix(view: RunView, gains: DecoderGains | None) -> GainMatrix | None:
    """The gains of each network's first ladder; decoders in the order of their mean gain."""
    if gains is None or not view.cells:
        return None
    ladders = {ladder.plain.model: ladder for ladder in gains.shown}
    models = [model for model in view.models if model in ladders]
    found: dict[str, dict[str, MatrixEntry]] = {}
    size: dict[str, list[float]] = {}
    for model in models:
        ladder = ladders[model]
        for place, gain in enumerate(ladder.gains):
            outcome = gain.paired.outcome if gain.paired.outcome in ("better", "worse") else ""
            note = "" if gain.outcome in ("better", "worse") else gain.outcome
            found.setdefault(gain.cell.decoder, {})[model] = MatrixEntry(
                gain.text,
                gain.interval.replace("+", ""),
                outcome,
                place == 0 and outcome == "better",
                note,
                gain.cell.index,
            )
            size.setdefault(gain.cell.decoder, []).append(gain.paired.difference)
        for cell, why in ladder.left_out:
            if not cell.mixed:
                found.setdefault(cell.decoder, {})[model] = MatrixEntry("", "", "", False, why, cell.index)
    order = sorted(found, key=lambda name: sum(size.get(name, [1e9])) / len(size.get(name, [1e9])))
    missing = MatrixEntry("–", "", "", False, "not run", None)
    mixed = list(dict.fromkeys(cell.decoder for ladder in gains.shown for cell, _ in ladder.left_out if cell.mixed))
    return GainMatrix(
        plain=display(gains.shown[0].plain.decoder, 40),
        networks=tuple(
            (display(short, 40), display(name, 80)) for short, name in zip(short_names(models), models, strict=True)
        ),
        rows=tuple((display(name, 40), tuple(found[name].get(model, missing) for model in models)) for name in order),
        left_out=sentence_list([display(name, 40) for name in mixed]),
    )


def _figure(view: RunView) -> tuple[Markup | None, str]:
    """NME by decoder and network with 95 % intervals, under the protocol of each network's first headline cell."""
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
    svg.top_labels(axes, names)
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
