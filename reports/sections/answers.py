"""The first screen: does it hold, which decoder earns how much, what did the last change do; and one figure."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from nmebench.protocol import DIRECT
from nmebench.reports.render.text import count, display, sentence_list
from nmebench.reports.sections import first_figure
from nmebench.reports.sections.change import ChangeRow, ChangeSection
from nmebench.reports.sections.differences import DecoderGains
from nmebench.reports.sections.neighbours import Neighbours
from nmebench.reports.sections.verdict import VerdictLine, VerdictSummary
from nmebench.reports.view import CellView, RunView, short_names

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
    figure, note = first_figure.draw(view)
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
    if verdict.rows and verdict.worst is None:
        details += [
            f"For information: {row.metric} of {row.subset} is {row.measured}, reported {row.reported} ({row.model})."
            for row in verdict.rows[:2]
            if row.greyed
        ]
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
        if view.cells and all(cell.decoder == DIRECT for cell in view.cells):
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
    direct = dict.fromkeys(_network(view, cell) for cell in view.cells if cell.decoder == DIRECT)
    if direct:
        names = sentence_list([display(name, 40) for name in direct])
        details.append(f"{names} {'predicts' if len(direct) == 1 else 'predict'} landmarks without a decoder.")
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
    changed = [outcome for outcome in ("worse", "better") if change.cells_that_are(outcome)]
    details = [line for outcome in changed for line in _subsets(change, outcome)]
    bad = worse or change.newly_diverged
    word = "Worse" if bad else "Better" if better else "Unchanged"
    if not change.changed:
        biggest = max(change.rows, key=lambda row: abs(row.paired.difference))
        where = display(biggest.subset, 40)
        details.append(f"Largest difference, on {where}: {_row_words(biggest)}; within the margin or not significant.")
    details += list(change.problems[:1])
    tone = "bad" if bad else "good"
    return Answer(word, tone, sentence, tuple(details), "change", "Every cell and subset")


def _subsets(change: ChangeSection, outcome: str) -> tuple[str, ...]:
    """The largest change with its subset, then the other subsets with theirs."""
    largest: dict[str, ChangeRow] = {}
    for row in change.changed:
        if row.changed == outcome:
            largest.setdefault(display(row.subset, 40), row)
    (first, top), *others = largest.items()
    outside = ""
    if change.outside and top is change.rows[0]:
        outside = f" Outside {first}, this cell differs by {change.outside}."
    lines = [f"{outcome.capitalize()} most on {first}: {_row_words(top)}.{outside}"]
    if others:
        rest = sentence_list([f"{name} {row.difference}" for name, row in others])
        lines.append(f"Also {outcome} on {rest}; subsets overlap.")
    return tuple(lines)


def _row_words(row: ChangeRow) -> str:
    interval = f" [{row.interval}]" if row.interval else ""
    return f"{row.difference} points{interval}, {row.cell.short_label} ({row.before:.3f} → {row.now:.3f} %)"


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
