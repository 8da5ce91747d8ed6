"""``nmebench check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    explain: Annotated[
        bool, typer.Option("--explain/--no-explain", help="Test the likely causes of a deviation; takes reruns.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON, as in verdict.json.")] = False,
) -> int:
    """Compare reported numbers with measured ones. Exit code: 0 reproduced, 1 something deviates, 3 not comparable.

    Examples:
      nmebench check RUN
      nmebench check RUN --no-explain --json
    """
    from nmebench import check
    from nmebench.cli.json_output import print_json
    from nmebench.cli.verdict_table import print_verdict, write_verdict
    from nmebench.runs.run_store import Run

    opened = Run.open(run)
    verdict = check.check(opened)
    if explain and verdict.exit_code == 1:
        verdict = check.explain(opened, verdict, check.make_rerun(opened))
    write_verdict(opened, verdict)
    if as_json:
        print_json(verdict.model_dump(mode="json"))
    else:
        print_verdict(verdict)
    return verdict.exit_code
