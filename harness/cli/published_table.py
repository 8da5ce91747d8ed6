"""The table of published results that ``nmebench list published`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nmebench.cli.console import table
from nmebench.cli.result_table import ResultTable
from nmebench.metric_names import NME, Metric, in_metric_order
from nmebench.protocol import in_table_order

if TYPE_CHECKING:
    from nmebench.published import PublishedRow

__all__ = ["notes", "published_table"]

_TITLES = {"wflw": "WFLW", "300w": "300-W", "300w-private": "300-W private", "cofw": "COFW", "cofw68": "COFW-68"}


def published_table(dataset: str, rows: Sequence[PublishedRow]) -> ResultTable:
    """Return the rows of a data set: NME by subset, and FR and AUC of all faces.

    The column of the normaliser is left out where all rows have the same.
    """
    from nmebench.cli.scores_table import SHORT
    from nmebench.published import load

    everything = load(dataset)
    subsets = in_table_order(name for row in everything for name in row.nme)
    rates = in_metric_order({name for row in everything for name in row.rates})
    titles = [Metric.parse(name).title for name in rates]
    several = len({row.protocol.normaliser for row in everything}) > 1
    head = ("method", "year", *(("normaliser",) if several else ()), *subsets, *titles, "table by", "source")
    title = f"published {_TITLES.get(dataset, dataset)} rows, NME in percent"
    body = table(title, *head, optional=("table by", *reversed(titles)), short=SHORT)
    for row in rows:
        body.add_row(
            row.method + (" (!)" if row.faults or row.suspect else ""),
            str(row.year or "-"),
            *((row.protocol.normaliser or "-",) if several else ()),
            *(_printed(row, NME, name) for name in subsets),
            *(_printed(row, name, "test") for name in rates),
            row.kind,
            row.source,
        )
    return body


def _printed(row: PublishedRow, metric: str, subset: str) -> str:
    """Return a number as the source prints it, those of logs with fewer digits."""
    from nmebench.checks.rounded_value import rounded_values

    found = rounded_values(metric, row.values(metric)).get(subset)
    return "-" if found is None else str(found)


def notes(dataset: str, rows: Sequence[PublishedRow]) -> list[str]:
    """Return the lines below the table: contradictory numbers, tables that disagree, other data sets."""
    from nmebench.published import load
    from nmebench.published.disagreements import disagreements

    lines = [f"(!): the source has a known error: `nmebench list published --dataset {dataset} --json` describes it"]
    lines += [f"contradiction in {row.method}: {key}: {why}" for row in rows for key, why in row.suspect.items()]
    lines += [f"tables of the same weights disagree: {found}" for found in disagreements(rows)]
    others = sorted({row.dataset for row in load()} - {dataset})
    lines.append(f"other data sets, for --dataset: {', '.join(others)}")
    return lines
