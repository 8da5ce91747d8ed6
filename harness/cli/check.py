"""``nmebench check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nmebench.cli.json_output import Json, document, print_json

if TYPE_CHECKING:
    from nmebench.checks import Verdict
    from nmebench.runs.run_store import Run

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(help="Folder of the run, or of a sweep over several data sets.")],
    explain: Annotated[
        bool, typer.Option("--explain/--no-explain", help="Test the likely causes of a deviation; takes reruns.")
    ] = True,
    as_json: Json = False,
) -> int:
    """Compare reported numbers with measured ones. Exit code: 0 reproduced, 1 something deviates, 3 not comparable.

    A sweep over several data sets has the exit code of its worst run: 1, then 3, then 0.

    Examples:
      nmebench check RUN
      nmebench check RUN --no-explain --json
    """
    from nmebench.cli.console import console
    from nmebench.cli.verdict_table import print_verdict
    from nmebench.runs.run_store import Run
    from nmebench.runs.sweep_folder import SweepFolder, is_sweep
    from nmebench.runs.worst_run import line, worst

    if not is_sweep(run):
        verdict = _check(Run.open(run), explain=explain)
        if as_json:
            print_json(_as_json(verdict))
        else:
            print_verdict(verdict)
        return verdict.exit_code
    verdicts = {folder: _check(opened, explain=explain) for folder, opened in SweepFolder.open(run).runs.items()}
    codes = {folder: verdict.exit_code for folder, verdict in verdicts.items()}
    if as_json:
        runs = {folder: _as_json(verdict) for folder, verdict in verdicts.items()}
        print_json(document("check of a sweep", exit_code=worst(codes), runs=runs))
        return worst(codes)
    for folder, verdict in verdicts.items():
        print_verdict(verdict, run=folder)
    console().print(line("check", codes))
    return worst(codes)


def _as_json(verdict: Verdict) -> dict[str, Any]:
    """The fields of ``verdict.json``, with the kind of the document."""
    return document("check", **verdict.model_dump(mode="json"))


def _check(run: Run, *, explain: bool) -> Verdict:
    """Check a run and store the verdict in its folder."""
    from nmebench import checks
    from nmebench.cli.verdict_table import write_verdict

    verdict = checks.check(run)
    if explain and verdict.exit_code == 1:
        verdict = checks.explain(run, verdict, checks.make_rerun(run))
    write_verdict(run, verdict)
    return verdict
