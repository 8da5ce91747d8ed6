"""The page of a comparison: runs side by side on their common faces, with paired differences from the first run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nmebench.metric_names import Metric
from nmebench.printable import counted
from nmebench.reports.page import Section, assemble, write_page
from nmebench.reports.render.difference_scale import DifferenceScale
from nmebench.reports.render.text import adaptive_decimals, display, number, p_value, sentence_list

if TYPE_CHECKING:
    from nmebench.comparisons import CellDifference, CellScores, Comparison

__all__ = ["ComparisonLine", "comparison_html", "write_comparison"]


@dataclass(frozen=True)
class ComparisonLine:
    """A cell of one run; texts are empty if the run has no such cell."""

    label: str
    run: str
    nme: tuple[str, ...]
    """By subset."""
    rates: tuple[str, ...]
    """FR and AUC at the thresholds of the first run."""
    difference: DifferenceTexts | None
    """None for the first run, and where there is nothing to compare."""
    outcome: str
    changes: str = ""
    """The settings in which the cell was measured differently from the row's first cell."""


@dataclass(frozen=True)
class DifferenceTexts:
    """A difference from the first run as texts, and its positions on the plot (0 to 100)."""

    text: str
    interval: str
    p: str
    position: float
    low: float
    high: float
    outside: bool
    """True if the difference is outside the plot."""


def comparison_html(comparison: Comparison) -> str:
    """Render a comparison as a page; the same comparison gives the same bytes."""
    found: list[CellDifference | None] = [pair.difference for pair in comparison.pairs]
    found = found or [difference for row in comparison.rows for difference in row.differences]
    ends = [end for difference in found if difference is not None for end in (difference.low, difference.high)]
    scale = DifferenceScale.of(ends)
    sentence, tone = _sentence(comparison)
    groups = [
        [
            replace(
                _line(display(row.label, 200), display(name, 160), scores, difference, scale),
                changes=display("; ".join(row.changes_of(column)), 1000),
            )
            for column, (name, scores, difference) in enumerate(
                zip(comparison.names, row.scores, row.differences, strict=True)
            )
        ]
        for row in comparison.rows
    ]
    summary = {
        "sentence": sentence,
        "tone": tone,
        "runs": [
            (display(name, 80), f"{comparison.faces} of {faces}")
            for name, faces in zip(comparison.names, comparison.of, strict=True)
        ],
        "notes": [display(note, 500) for note in comparison.notes],
    }
    table = {
        "groups": groups,
        "subsets": [display(s, 40) for s in comparison.subsets],
        "rates": [(metric.title, metric.percent) for metric in map(Metric.parse, comparison.rates)],
        "reach": scale.reach_text,
        "first": display(comparison.names[0], 80),
        "level": f"{100 * comparison.level:g}",
        "compared": comparison.compared,
    }
    ranking = [
        (cell.rank, display(cell.cell, 160), number(cell.nme, 3), display(", ".join(cell.tied), 1000))
        for cell in comparison.ranking
    ]
    pairs = [
        (
            display(pair.first, 160),
            display(pair.second, 160),
            _difference(pair.difference, scale),
            pair.difference.result,
        )
        for pair in comparison.pairs
    ]
    names = sentence_list([display(name, 40) for name in comparison.names])
    return assemble(
        [
            Section("verdict", "Summary", "Summary", "comparison", summary),
            Section("cells", "Cells", "Cell by cell", "comparison_cells", table),
            *([Section("ranking", "Ranking", "Ranking", "comparison_ranking", ranking)] if ranking else []),
            *([Section("pairs", "Pairs", "All pairs", "comparison_pairs", {**table, "pairs": pairs})] if pairs else []),
        ],
        title=f"{display(comparison.dataset, 40)}: {names}",
        subtitle=f"{counted(comparison.faces, 'common face')}, {counted(len(groups), 'cell')}",
        version="",
        data={"cells": [], "ced": None, "gallery": None, "best": None},
    )


def _sentence(comparison: Comparison) -> tuple[str, str]:
    if not comparison.compared:
        return "Nothing was comparable: the runs have no cell in common.", "open"
    outcomes = Counter(comparison.results)
    if comparison.pairs:
        different = comparison.compared - outcomes["no difference"]
        return f"{counted(comparison.compared, 'pair')}, {different} with a significant difference.", "open"
    parts = [f"{outcomes[name]} {name}" for name in ("worse", "better") if outcomes[name]]
    if outcomes["no difference"]:
        parts.append(f"{outcomes['no difference']} without a significant difference")
    first = display(comparison.names[0], 60)
    text = f"{counted(comparison.compared, 'comparison')} with {first}: {sentence_list(parts)}."
    return text, "bad" if outcomes["worse"] else "good" if outcomes["better"] else "open"


def _line(
    label: str, run: str, scores: CellScores | None, difference: CellDifference | None, scale: DifferenceScale
) -> ComparisonLine:
    if scores is None:
        return ComparisonLine(label, run, (), (), None, "no such cell")
    return ComparisonLine(
        label,
        run,
        tuple(number(v, adaptive_decimals(v, 3)) for v in scores.nme.values()),
        tuple(number(value, 2 if Metric.parse(name).percent else 4) for name, value in scores.rates.items()),
        None if difference is None else _difference(difference, scale),
        "" if difference is None else difference.result,
    )


def _difference(found: CellDifference, scale: DifferenceScale) -> DifferenceTexts:
    known = bool(np.isfinite(found.low))
    return DifferenceTexts(
        scale.signed(found.difference),
        f"{scale.signed(found.low)} to {scale.signed(found.high)}" if known else "",
        p_value(found.p),
        scale.position(found.difference),
        scale.position(found.low if known else found.difference),
        scale.position(found.high if known else found.difference),
        scale.outside(found.difference),
    )


def write_comparison(comparison: Comparison, out: Path) -> Path:
    """Write the page of a comparison to ``out``, atomically.

    Args:
        comparison: the comparison.
        out: the HTML file.

    Returns:
        The path of the page.

    Raises:
        InputError: ``out`` can't be written.
    """
    return write_page(comparison_html(comparison), out)
