"""Prints a verdict as a table and stores it in the run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nmebench.checks import Verdict
    from nmebench.runs.run_store import Run

__all__ = ["print_verdict", "write_verdict"]


def write_verdict(run: Run, verdict: Verdict) -> None:
    """Store a verdict as ``verdict.json`` in the run folder.

    Raises:
        OSError: the folder can't be written.
    """
    run.write_json("verdict.json", verdict.model_dump(mode="json"))


def print_verdict(verdict: Verdict, *, only_deviating: bool = False, run: str = "") -> None:
    """Print one row per reported number, the likely causes of deviations, and the summary.

    Args:
        verdict: the verdict.
        only_deviating: print only the rows that deviate; the summary still counts all.
        run: the name of the run in a sweep over several data sets; empty for a single run.
    """
    from nmebench.cli.console import console, table

    out = console()
    head = ("model", "table", "metric", "subset", "reported", "measured", "status", "reason")
    body = table(run, *head, optional=("table",))
    rows = [row for row in verdict.rows if not only_deviating or row.status == "deviates"]
    for row in rows:
        decimals = max(4, len(row.reported_text.partition(".")[2]) + 1)
        measured = "-" if row.measured is None else f"{row.measured:.{decimals}f}"
        body.add_row(row.model, row.table, row.metric, row.subset, row.reported_text, measured, row.status, row.reason)
    if rows:
        out.print(body)
    causes = (f"likely cause for {row.model}: {cause.cause}: {cause.detail}" for row in rows for cause in row.causes)
    for line in dict.fromkeys(causes):  # rows of one cell share their causes
        out.print(line)
    out.print(f"check{f' {run}' if run else ''}: {verdict.summary}")
