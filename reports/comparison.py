"""The page of a comparison: runs side by side on their common faces, with paired differences to the first run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.reports.page import Section, assemble
from nmebench.reports.render.text import (
    count,
    decimals,
    number,
    percent_faces,
    pvalue,
    say,
    sentence_list,
)
from nmebench.reports.sections.differences import Scale

if TYPE_CHECKING:
    from nmebench.compare import CellDifference, CellScores, Comparison

__all__ = ["Line", "comparison_html", "write_comparison"]


@dataclass(frozen=True)
class Line:
    """A cell of one run; texts are empty where the run has no such cell."""

    label: str
    run: str
    nme: tuple[tuple[float | None, str], ...]
    """Value (percent) and text, by subset."""
    fr10: str
    auc10: str
    difference: float | None
    text: str
    interval: str
    p: float | None
    p_text: str
    words: str
    at: float
    low: float
    high: float
    beyond: bool
    """Whether the difference lies outside the plot."""


def _line(label: str, run: str, scores: CellScores | None, difference: CellDifference | None, scale: Scale) -> Line:
    nme = () if scores is None else tuple((v, number(v, decimals(v, 3))) for v in scores.nme.values())
    fr10, auc10 = ("", "") if scores is None else (number(scores.fr10, 2), number(scores.auc10, 4))
    if difference is None:
        words = "no such cell" if scores is None else ""
        return Line(label, run, nme, fr10, auc10, None, "", "", None, "", words, 50, 50, 50, False)
    known = np.isfinite(difference.low)
    return Line(
        label,
        run,
        nme,
        fr10,
        auc10,
        difference.difference,
        scale.signed(difference.difference),
        f"{scale.signed(difference.low)} to {scale.signed(difference.high)}" if known else "",
        difference.p,
        pvalue(difference.p),
        difference.result,
        scale.at(difference.difference),
        scale.at(difference.low if known else difference.difference),
        scale.at(difference.high if known else difference.difference),
        abs(difference.difference) > scale.reach,
    )


def _sentence(comparison: Comparison) -> tuple[str, str]:
    if not comparison.compared:
        return "Nothing was comparable: the runs have no cell in common.", "open"
    words = Counter(d.result for row in comparison.rows for d in row.differences if d is not None)
    parts = [f"{words[w]} {w}" for w in ("worse", "better") if words[w]]
    if words["no difference"]:
        parts.append(f"{words['no difference']} without a significant difference")
    text = f"{count(comparison.compared, 'comparison')} with {say(comparison.names[0], 60)}: {sentence_list(parts)}."
    return text, "bad" if words["worse"] else "good" if words["better"] else "open"


def comparison_html(comparison: Comparison) -> str:
    """The page as text; the same bytes for the same comparison."""
    ends = [e for row in comparison.rows for d in row.differences if d is not None for e in (d.low, d.high)]
    scale = Scale.of(ends)
    sentence, tone = _sentence(comparison)
    groups = [
        [
            _line(say(row.label, 200), say(name, 80), scores, difference, scale)
            for name, scores, difference in zip(comparison.names, row.scores, row.differences, strict=True)
        ]
        for row in comparison.rows
    ]
    runs = [
        (say(name, 80), percent_faces(comparison.faces, whole))
        for name, whole in zip(comparison.names, comparison.of, strict=True)
    ]
    summary = {
        "sentence": sentence,
        "tone": tone,
        "runs": runs,
        "notes": [say(note, 500) for note in comparison.notes],
    }
    table = {
        "groups": groups,
        "subsets": [say(s, 40) for s in comparison.subsets],
        "reach": scale.text,
        "first": say(comparison.names[0], 80),
        "level": f"{100 * comparison.level:g}",
        "compared": comparison.compared,
    }
    names = sentence_list([say(name, 40) for name in comparison.names])
    return assemble(
        [
            Section("verdict", "Summary", "Summary", "comparison.html.j2", summary),
            Section("cells", "Cells", "Cell by cell", "comparison_cells.html.j2", table),
        ],
        title=f"{say(comparison.dataset, 40)}: {names}",
        subtitle=f"{count(comparison.faces, 'common face')}, {count(len(groups), 'cell')}",
        version="",
        data={"cells": [], "ced": None, "gallery": None, "best": None},
    )


def write_comparison(comparison: Comparison, out: Path) -> Path:
    """Write the page of a comparison to ``out``, atomically.

    Raises:
        InputError: ``out`` can't be written.
    """
    text = comparison_html(comparison)
    try:
        write_atomically(Path(out), text)
    except OSError as error:
        raise InputError(f"{out}: can't be written ({error.strerror}); give another file") from error
    return Path(out)
