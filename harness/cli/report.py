"""``nmebench report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Path of the HTML file; RUN/report.html by default.")
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Include pictures of faces in the page.")
    ] = True,
    timings: Annotated[
        bool, typer.Option("--timings", help="Add timings; the pages of two equal runs then differ.")
    ] = False,
) -> int:
    """Write the report of a run as one self-contained HTML page."""
    from nmebench import reports
    from nmebench.cli.outputs import check_output
    from nmebench.runs.run_store import Run

    check_output(out, "--out")
    opened = Run.open(run)
    page = reports.write(opened, out or run / "report.html", pictures=pictures, timings=timings)
    typer.echo(f"report: {page}")
    return 0
