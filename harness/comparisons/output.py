"""Formats a comparison: lines of text, Markdown, JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from nmebench.comparisons.comparison import CellDifference, CellScores, Comparison
from nmebench.metric_names import Metric, spread_rates
from nmebench.printable import markdown_cell
from nmebench.statistics import RankedCell

__all__ = ["as_json", "lines", "markdown"]


def lines(comparison: Comparison) -> list[str]:
    """Return the comparison as lines of text."""
    out = []
    for row in comparison.rows:
        if len(comparison.rows) > 1 or row.label != "cells":
            out.append(row.label)
        for column, (name, scores, difference) in enumerate(
            zip(comparison.names, row.scores, row.differences, strict=True)
        ):
            if scores is None:
                out.append(f"  {name}: no such cell")
                continue
            rates = (f"{title} {text}{' %' if unit else ''}" for title, text, unit in _rates(comparison, scores))
            text = f"  {name}: NME {scores.nme['test']:.4f} %, {', '.join(rates)}"
            out.append(text if difference is None else f"{text}; {_difference_text(difference)}")
            if changed := row.changes_of(column):
                out.append(f"    measured with {'; '.join(changed)}")
    if comparison.pairs:
        out.append("pairs (second minus first):")
        out += [f"  {pair.first} / {pair.second}: {_difference_text(pair.difference)}" for pair in comparison.pairs]
    if comparison.ranking:
        out.append("ranking (a cell's rank is 1 plus the number of cells that are significantly better):")
        out += [f"  {cell.rank}  {cell.nme:.4f} %  {cell.cell}{_ties(cell)}" for cell in comparison.ranking]
    return [*out, *(f"note: {note}" for note in comparison.notes), comparison.summary]


def _rates(comparison: Comparison, scores: CellScores) -> list[tuple[str, str, bool]]:
    """FR and AUC: title, number, and whether it is percent."""
    found = [(Metric.parse(name), scores.rates[name]) for name in comparison.rates]
    return [(metric.title, f"{value:.{2 if metric.percent else 4}f}", metric.percent) for metric, value in found]


def _ties(cell: RankedCell) -> str:
    return f" (no significant difference from {', '.join(cell.tied)})" if cell.tied else ""


def _difference_text(difference: CellDifference) -> str:
    interval = "" if np.isnan(difference.low) else f" [{difference.low:+.4f}, {difference.high:+.4f}]"
    return f"{difference.difference:+.4f}{interval} points, p {difference.p:.3g}: {difference.result}"


def markdown(comparison: Comparison) -> str:
    """Return Markdown: a table with NME by subset, FR, AUC and the difference, then pairs, ranking and notes."""
    titles = [Metric.parse(name).title for name in comparison.rates]
    head = ["cell", "run", *(f"NME {s}" for s in comparison.subsets), *titles, "difference to the first"]
    head.append("measured differently")
    numbers = len(comparison.subsets) + len(titles)
    out = [f"**{markdown_cell(comparison.summary)}**", "", f"| {' | '.join(head)} |"]
    out.append(f"|---|---|{'--:|' * numbers}---|---|")
    for row in comparison.rows:
        for column, (name, scores, difference) in enumerate(
            zip(comparison.names, row.scores, row.differences, strict=True)
        ):
            if scores is None:
                cells = [""] * numbers + ["no such cell", ""]
            else:
                cells = [f"{scores.nme[s]:.4f}" for s in comparison.subsets]
                cells += [text for _, text, _ in _rates(comparison, scores)]
                cells.append("" if difference is None else _difference_text(difference))
                cells.append(markdown_cell("; ".join(row.changes_of(column))))
            out.append(f"| {markdown_cell(row.label)} | {markdown_cell(name)} | {' | '.join(cells)} |")
    if comparison.pairs:
        out += ["", "| first | second | second minus first | measured differently |", "|---|---|---|---|"]
        out += [
            f"| {markdown_cell(pair.first)} | {markdown_cell(pair.second)} | {_difference_text(pair.difference)} "
            f"| {markdown_cell('; '.join(pair.changes))} |"
            for pair in comparison.pairs
        ]
    if comparison.ranking:
        out += ["", "| rank | cell | NME | no significant difference from |", "|--:|---|--:|---|"]
        out += [
            f"| {cell.rank} | {markdown_cell(cell.cell)} | {cell.nme:.4f} | {markdown_cell(', '.join(cell.tied))} |"
            for cell in comparison.ranking
        ]
    out += ["", *(f"- {markdown_cell(note)}" for note in comparison.notes)] if comparison.notes else []
    return "\n".join(out) + "\n"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain data for JSON (schema version 1, described in docs/compare.md).

    NME, FR and differences are percent and percent points, AUC is a fraction. A limit of an interval that is not known
    is null.
    """
    data = asdict(comparison)
    data["rows"] = [
        {
            "label": row["label"],
            "cells": [
                {
                    "name": name,
                    "scores": None if scores is None else spread_rates(scores),
                    "difference": difference,
                    "changes": list(changed),
                }
                for name, scores, difference, changed in zip(
                    comparison.names,
                    row["scores"],
                    row["differences"],
                    row["changes"] or ((),) * len(comparison.names),
                    strict=True,
                )
            ],
        }
        for row in data["rows"]
    ]
    return {
        "schema_version": 1,
        "kind": "nmebench comparison",
        **_without_nan(data),
        "summary": comparison.summary,
        "exit_code": comparison.exit_code,
    }


def _without_nan(value: Any) -> Any:
    """The value with lists for tuples and None for NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
