"""``nmebench compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    runs: Annotated[list[Path], typer.Argument(help="Folders of two or more runs; all are compared with the first.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write the comparison to this HTML file.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the comparison to this Markdown file.")] = None,
) -> int:
    """Compare runs on the faces they share, with paired statistics. Exit code 3 when nothing is comparable."""
    from nmebench import compare, reports
    from nmebench.cli.outputs import check_output
    from nmebench.errors import InputError
    from nmebench.files import write_atomically
    from nmebench.runs.run_store import Run

    if len(runs) < 2:
        raise InputError(f"{runs[0]}: only one run given; give two or more to compare")
    check_output(out, "--out")
    check_output(markdown, "--markdown")
    comparison = compare.compare([Run.open(run) for run in runs])
    if markdown is not None:
        write_atomically(markdown, compare.markdown(comparison))
    page = None if out is None else reports.write_comparison(comparison, out)
    for line in compare.lines(comparison):
        typer.echo(line)
    if page is not None:
        typer.echo(f"page: {page}")
    return comparison.exit_code
