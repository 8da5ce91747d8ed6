"""``nmebench compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nmebench.comparisons import Comparison

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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> int:
    """Compare runs, or any cells, on the faces they share, with paired statistics.

    Exit code 3 when nothing is comparable.

    Examples:
      nmebench compare OLD NEW
      nmebench compare RUN --all-pairs
      nmebench compare RUN:hrnet,dark PREDICTIONS -o page.html
    """
    from nmebench import comparisons, reports
    from nmebench.cli.json_output import print_json
    from nmebench.cli.outputs import check_output
    from nmebench.files import write_atomically

    check_output(out, "--out")
    check_output(markdown, "--markdown")
    comparison = _compare(runs, all_pairs)
    if markdown is not None:
        write_atomically(markdown, comparisons.markdown(comparison))
    page = None if out is None else reports.write_comparison(comparison, out)
    if as_json:
        print_json(comparisons.as_json(comparison))
        return comparison.exit_code
    for line in comparisons.lines(comparison):
        typer.echo(line)
    if page is not None:
        typer.echo(f"page: {page}")
    return comparison.exit_code


def _compare(arguments: list[str], all_pairs: bool) -> Comparison:
    """Compare runs cell by cell, or the named cells."""
    from nmebench import comparisons
    from nmebench.errors import InputError
    from nmebench.printable import shown

    chosen = comparisons.select(arguments)
    if not all_pairs and all(one.cell is None for one in chosen):
        if len(chosen) < 2:
            raise InputError(
                f"{shown(arguments[0])}: only one run given; give two or more to compare, or --all-pairs to compare "
                "its cells"
            )
        return comparisons.compare([one.run for one in chosen])
    cells = [
        (one.run, cell)
        for one in chosen
        for cell in ([one.cell] if one.cell is not None else [record.id for record in one.run.record.cells])
    ]
    if len(cells) < 2:
        raise InputError(f"{shown(arguments[0])}: only one cell given; give two or more to compare")
    return comparisons.compare_cells(cells, all_pairs=all_pairs)
