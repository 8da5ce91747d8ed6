"""``nmebench report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The page; RUN/report.html by default.")] = None,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Leave the faces out of the page.")] = True,
    timings: Annotated[bool, typer.Option("--timings", help="Add seconds; two equal runs' pages then differ.")] = False,
) -> int:
    """Write a run's report: one self-contained HTML page."""
    from nmebench import reports
    from nmebench.runs.run_store import Run

    opened = Run.open(run)
    page = reports.write(opened, out or run / "report.html", pictures=pictures, timings=timings)
    typer.echo(f"report: {page}")
    return 0
