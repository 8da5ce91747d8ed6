"""``nmebench report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nmebench.gate import Baseline

__all__ = ["command", "read_baseline"]


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
    baseline: Annotated[
        Path | None,
        typer.Option(help="Folder of an earlier run on the same faces, or a baseline file: the page shows the change."),
    ] = None,
) -> int:
    """Write the report of a run as one self-contained HTML page."""
    from nmebench import reports
    from nmebench.cli.outputs import check_output
    from nmebench.runs.run_store import Run

    check_output(out, "--out")
    opened = Run.open(run)
    page = reports.write(
        opened,
        out or run / "report.html",
        pictures=pictures,
        timings=timings,
        baseline=None if baseline is None else read_baseline(baseline),
        baseline_name="" if baseline is None else baseline.resolve().name,
    )
    typer.echo(f"report: {page}")
    return 0


def read_baseline(path: Path) -> Baseline:
    """Read a baseline: a file of `nmebench gate`, or an earlier run.

    Raises:
        InputError: the file or run is missing or damaged.
    """
    from nmebench import gate
    from nmebench.runs.run_store import Run

    return gate.make_baseline(Run.open(path)) if path.is_dir() else gate.Baseline.read(path)
