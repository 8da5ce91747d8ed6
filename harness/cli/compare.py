"""``nmebench compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nmebench.cli.json_output import Json, print_json

__all__ = ["command"]


def command(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN[:CELL]",
            help="Folders of runs, each with a cell's id or an unambiguous part of it after a colon: RUN, RUN:dark or "
            "RUN:my-net,dark,none. Everything is compared with the first.",
        ),
    ],
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Compare every pair of cells, also of a single run, and rank them.")
    ] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write the comparison to this HTML file.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the comparison to this Markdown file.")] = None,
    as_json: Json = False,
) -> int:
    """Compare runs, or any cells, on the faces they share, with paired statistics.

    Exit code 3 when nothing is comparable.

    Examples:
      nmebench compare OLD NEW
      nmebench compare RUN --all-pairs
      nmebench compare RUN:hrnet,dark PREDICTIONS -o page.html
    """
    from nmebench import comparisons, reports
    from nmebench.cli.console import console
    from nmebench.cli.outputs import check_output
    from nmebench.files import write_atomically

    check_output(out, "--out")
    check_output(markdown, "--markdown")
    comparison = comparisons.compare_selected(comparisons.select(runs), all_pairs=all_pairs)
    if markdown is not None:
        write_atomically(markdown, comparisons.markdown(comparison))
    page = None if out is None else reports.write_comparison(comparison, out)
    if as_json:
        print_json(comparisons.as_json(comparison))
        return comparison.exit_code
    out_lines = [*comparisons.lines(comparison), *([] if page is None else [f"page: {page}"])]
    console().print_all(out_lines)
    return comparison.exit_code
