"""The first screen: does it hold, which decoder earns how much, what did the last change do; and one figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nmebench.printable import counted
from nmebench.protocol import DIRECT
from nmebench.reports.render.text import display, sentence_list
from nmebench.reports.sections import first_figure, gain_matrix
from nmebench.reports.sections.cell_groups import in_words
from nmebench.reports.sections.change import ChangeRow, ChangeSection
from nmebench.reports.sections.differences import DecoderGain, DecoderGains
from nmebench.reports.sections.gain_matrix import GainMatrix
from nmebench.reports.sections.neighbours import Neighbours
from nmebench.reports.sections.verdict import VerdictLine, VerdictSummary, tables_in_words
from nmebench.reports.view import CellView, RunView, short_names
from nmebench.scoring.rescore import describe_rescore

__all__ = ["Answer", "Answers", "between", "section"]


_NAMED = 4
"""Number of networks, and of their tied decoders, that the sentence names."""


@dataclass(frozen=True)
class Answer:
    """The answer to one question."""

    word: str
    """A few words, such as ``Holds`` or ``Worse: up to +0.180 on occlusion``."""
    tone: str
    """``good``, ``bad`` or ``open``."""
    sentence: str
    details: tuple[str, ...]
    link: str
    """Anchor of the section with all numbers."""
    link_text: str


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
    figure, note = first_figure.draw(view, gains)
    return Answers(
        holds=_holds(view, verdict, neighbours),
        decoders=_decoders(view, gains),
        change=_change(view, change),
        matrix=gain_matrix.section(view, gains),
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
    cells = [counted(len(view.models), "network")]
    if len(decoders) > 1:
        cells.append(counted(len(decoders), "decoder"))
    if len(view.distinct("flip")) > 1:
        cells.append(f"{len(view.distinct('flip'))} flip tests")
    if len(view.distinct("box")) > 1:
        cells.append(counted(len(view.distinct("box")), "box"))
    parts.append(" × ".join(cells))
    parts += [f"{name} {value}" for name, value in view.constant if name in ("flip test", "box")]
    parts.append(f"NME normalised by {display(record.normaliser, 40)}")
    if changed := describe_rescore(record):
        parts.append(f"rescored: {display('; '.join(changed), 200)}")
    return tuple(parts)


def _partial(view: RunView) -> str:
    dataset = view.run.record.dataset
    if "test" not in dataset.expected or dataset.complete:
        return ""
    faces = display(dataset.describe(), 80)
    return f"{faces}: a part of the full set, which is never compared with values for the full set"


def _holds(view: RunView, verdict: VerdictSummary, neighbours: Neighbours | None) -> Answer:
    counts = dict(verdict.counts)
    unchecked = "Not checked" if view.verdict_rows is None else "Nothing reported"
    word = {"good": "Holds", "bad": "Deviates"}.get(verdict.tone, "Not comparable" if verdict.rows else unchecked)
    details = []
    if verdict.worst is not None:
        deviating = {row.cell.index: row.cell for row in verdict.deviations if row.cell is not None}
        if deviating:
            cells = in_words(view, [deviating[index] for index in sorted(deviating)])
            details.append(f"The deviations are in {cells}.")
        details.append(_worst(verdict.worst, deviates=verdict.tone == "bad"))
    if verdict.rows and verdict.worst is None:
        details += [_for_information(row) for row in verdict.rows[:2] if row.greyed]
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


def _for_information(line: VerdictLine) -> str:
    cell = f"{line.model}, {line.cell.label_without(('model',))}" if line.cell else line.model
    table = sentence_list(tables_in_words([line]))
    return (
        f"For information: {line.metric} of {line.subset} is {line.measured} ({cell}); {table} reports {line.reported}."
    )


def _worst(line: VerdictLine, *, deviates: bool) -> str:
    name = f"{line.model}, {line.protocol}, {line.metric} of {line.subset}"
    unit = " points" if not line.metric.startswith("AUC") else ""
    kind = "Largest deviation" if deviates else "Largest difference"
    size = "rounding only" if line.rounding_only and not deviates else f"{line.difference}{unit}"
    return f"{kind}: {size} ({name}: measured {line.measured}, reported {line.reported})."


def _decoders(view: RunView, gains: DecoderGains | None) -> Answer:
    if gains is None:
        one = "One decoder ran" if view.cells else "No decoder ran"
        if view.cells and all(cell.decoder == DIRECT for cell in view.cells):
            one = "The networks predict landmarks without a decoder"
        return Answer("One decoder", "open", f"{one}, so there is nothing to compare.", (), "scores", "All scores")
    plain = display(gains.shown[0].plain.decoder, 40)
    gaining = sorted(
        (ladder for ladder in gains.shown if ladder.best), key=lambda ladder: ladder.best[0].paired.difference
    )
    if not gaining:
        sentence = f"No decoder is significantly better than {plain}."
        return Answer("No gain", "open", sentence, (), "decoders", "All decoders, protocols and tests")
    parts = []
    for ladder in gaining[:_NAMED]:
        place = f" on {_network(view, ladder.plain)}" if len(view.models) > 1 else ""
        parts.append(f"{ladder.best[0].text}{place} ({_tied(ladder.best)})")
    more = f" ({counted(len(gaining) - _NAMED, 'more network')} below)" if len(gaining) > _NAMED else ""
    sentence = f"Points of NME over {plain}: {sentence_list(parts)}{more}."
    details = []
    if any(len(ladder.best) > 1 for ladder in gaining):
        details.append("Tied: the paired difference is not significant, or smaller than the last decimal shown.")
    none = [_network(view, ladder.plain) for ladder in gains.shown if ladder.gains and not ladder.best]
    if none:
        details.append(f"No decoder is significantly better on {sentence_list(none[:_NAMED])}.")
    direct = dict.fromkeys(_network(view, cell) for cell in view.cells if cell.decoder == DIRECT)
    if direct:
        verb = "predicts" if len(direct) == 1 else "predict"
        details.append(f"{sentence_list(list(direct))} {verb} landmarks without a decoder.")
    word = f"Up to {gaining[0].best[0].text}"
    return Answer(word, "good", sentence, tuple(details), "decoders", "All decoders, protocols and tests")


def _tied(best: Sequence[DecoderGain]) -> str:
    """The decoder with the largest gain and those tied with it; a tied gain that reads differently is shown."""
    names = [
        display(gain.cell.decoder_label, 40) + ("" if gain.text == best[0].text else f" {gain.text}") for gain in best
    ]
    shown = [*names[:_NAMED], f"{len(names) - _NAMED} more"] if len(names) > _NAMED else names
    return sentence_list(shown) + (", tied" if len(names) > 1 else "")


def _network(view: RunView, cell: CellView) -> str:
    return display(dict(zip(view.models, short_names(view.models), strict=True))[cell.model], 40)


def _change(view: RunView, change: ChangeSection | None) -> Answer:
    if change is None:
        return Answer(
            "Not compared",
            "open",
            "No earlier run was given. `nmebench report RUN --baseline OLD` compares with one.",
            ("OLD is the folder of a run on the same faces, or a baseline file of `nmebench gate`.",),
            "scores",
            "The scores of this run",
        )
    name = f"{change.reference}{f' (commit {change.commit})' if change.commit else ''}"
    if not change.cells:
        reason = change.problems[0] if change.problems else "no cell in common"
        return Answer("Not comparable", "open", f"Compared with {name}: {reason}.", (), "change", "Details")
    worse, better = change.cells_that_are("worse"), change.cells_that_are("better")
    numbers = {"worse": len(worse), "better": len(better), "unchanged": change.unchanged}
    numbers["newly diverged"] = len(change.newly_diverged)
    parts = [f"{number} {word}" for word, number in numbers.items() if number]
    sentence = f"{counted(change.cells, 'cell')} compared with {name}: {sentence_list(parts)}."
    details = [f"Newly diverged: {in_words(view, change.newly_diverged)}."] if change.newly_diverged else []
    for outcome, cells in (("worse", worse), ("better", better)):
        details += _subsets(view, change, outcome, cells) if cells else ()
    if not change.changed:
        details.append(_largest_difference(change))
    details += list(change.problems[:1])
    bad = worse or change.newly_diverged
    return Answer(_word(change), "bad" if bad else "good", sentence, tuple(details), "change", "Every cell and subset")


def _word(change: ChangeSection) -> str:
    """``Worse``, ``Better`` or ``Unchanged``, with size and subset of the largest change."""
    if change.newly_diverged:
        return f"Worse: {counted(len(change.newly_diverged), 'cell')} newly diverged"
    for outcome in ("worse", "better"):
        row = next((row for row in change.changed if row.changed == outcome), None)
        if row is not None:
            return f"{outcome.capitalize()}: up to {row.difference} on {display(row.subset, 40)}"
    return "Unchanged"


def _largest_difference(change: ChangeSection) -> str:
    row = max(change.rows, key=lambda row: abs(row.paired.difference))
    if row.difference == "0.000":
        return "Every difference rounds to 0.000 points."
    where = display(row.subset, 40)
    return f"Largest difference, on {where}: {_row_words(row)}; within the margin or not significant."


def _subsets(view: RunView, change: ChangeSection, outcome: str, cells: Sequence[CellView]) -> tuple[str, ...]:
    """Where the changed cells are; the largest change; that cell's other subsets, and subsets of other cells only."""
    rows = [row for row in change.changed if row.changed == outcome]
    top, first = rows[0], display(rows[0].subset, 40)
    outside = ""
    if change.outside and top is change.rows[0]:
        outside = f" Outside {first}, this cell differs by {change.outside}."
    lines = [
        f"{outcome.capitalize()}: {in_words(view, cells)}.",
        f"Largest change, on {first}: {_row_words(top)}.{outside}",
    ]
    same = {display(row.subset, 40): row for row in rows if row.cell is top.cell and row is not top}
    also = []
    if same:
        rest = sentence_list([f"{name} {row.difference}" for name, row in same.items()])
        also.append(f"Subsets overlap: this cell is also {outcome} on {rest}.")
    others: dict[str, ChangeRow] = {}
    for row in rows:
        if row.subset != top.subset and display(row.subset, 40) not in same:
            others.setdefault(display(row.subset, 40), row)
    if others:
        rest = sentence_list([f"{name} (up to {row.difference})" for name, row in others.items()])
        also.append(f"Other cells are {outcome} on {rest}.")
    return (*lines, " ".join(also)) if also else tuple(lines)


def _row_words(row: ChangeRow) -> str:
    interval = f" [{row.interval}]" if row.interval else ""
    return f"{row.difference} points{interval}, {row.cell.short_label} ({row.before:.3f} → {row.now:.3f} %)"
