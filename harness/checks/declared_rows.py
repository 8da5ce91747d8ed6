"""The published rows that scored predictions were declared to be."""

from __future__ import annotations

from collections.abc import Iterator

from nmebench import published
from nmebench.checks.reported_tables import ReportedTable, row_table
from nmebench.runs.run_store import Run

__all__ = ["declared_tables"]


def declared_tables(run: Run) -> Iterator[ReportedTable]:
    """Yield the published rows of ``nmebench score --published``, on the data set of the run; none for a sweep.

    Predictions are what a network, decoder and flip test gave, so nothing but the data set and the normaliser of such a
    row is compared with the run.
    """
    record = run.record
    declared = record.configuration.get("published") if record.kind == "score" else None
    names = declared if isinstance(declared, list) else []
    for row in published.load(record.dataset.name):
        if row.method in names:
            yield row_table(row, of_predictions=True)
