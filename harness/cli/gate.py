"""``nmebench gate``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nmebench.cli.json_output import Json, document, print_json
from nmebench.cli.option_help import ENGINE
from nmebench.printable import counted

if TYPE_CHECKING:
    from nmebench.gates import GateResult
    from nmebench.runs.run_store import Run

__all__ = ["command"]


def command(
    run: Annotated[
        Path | None,
        typer.Argument(help="Folder of the run, or of a sweep over several data sets; or give --embedded."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Baseline file (JSON); for a sweep, a folder with a file per run.")
    ] = None,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Run the embedded benchmark and compare it with its committed baseline.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Write the baseline file from the run instead of comparing.")
    ] = False,
    margin: Annotated[
        str | None,
        typer.Option(
            help="Allowed increase of NME: percent points such as 0.05, or 1% of the baseline; 0.01 by default."
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(help="An absolute limit in quotes, such as 'nme@pose<=7.0'; repeatable; needs no baseline."),
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the result to this JUnit XML file.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the result to this Markdown file, for a pull request.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the report, whose first screen shows the change, to this HTML file.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="With --embedded: folder of the run.")] = Path("out/gate"),
    engine: Annotated[str, typer.Option(help=f"With --embedded: the engine; {ENGINE}.")] = "auto",
    as_json: Json = False,
) -> int:
    """Compare a run with a baseline. Exit code: 0 passed, 1 failed, 3 nothing was comparable.

    A sweep over several data sets has the exit code of its worst run: 1, then 3, then 0.

    Examples:
      nmebench gate RUN --baseline baseline.json --update
      nmebench gate RUN --baseline baseline.json --margin 0.05 --markdown gate.md
      nmebench gate RUN --limit 'nme<=4.0' --limit 'nme@pose<=7.0'
      nmebench gate --embedded
    """
    from nmebench import gates, reports
    from nmebench.cli.console import console
    from nmebench.cli.outputs import check_output
    from nmebench.errors import InputError
    from nmebench.files import write_atomically
    from nmebench.reproduction.embedded import BASELINE
    from nmebench.runs.run_store import Run
    from nmebench.runs.sweep_folder import is_sweep

    if embedded == (run is not None):
        raise InputError("give either the folder of a run or --embedded")
    file = baseline or (BASELINE if embedded else None)
    if file is None and (update or not limit):
        raise InputError(
            "give --baseline FILE, which --update writes from the run; a limit alone needs none: --limit 'nme<=4.0'"
        )
    of_sweep = run is not None and is_sweep(run)
    for output, option in (
        (junit, "--junit"),
        (markdown, "--markdown"),
        (report, "--report"),
        (file if update and not of_sweep else None, "--baseline"),
    ):
        check_output(output, option)
    if of_sweep and run is not None:
        from nmebench.cli import gate_sweep

        outputs = gate_sweep.Outputs(junit=junit, markdown=markdown, report=report, as_json=as_json)
        return gate_sweep.command(
            run, file, update=update, margin=margin, limits=limit or (), outputs=outputs, to_json=_as_json
        )
    reference = None if update or file is None else gates.Baseline.read(file)
    wanted = tuple(gates.Limit.parse(text) for text in limit or ())
    allowed = gates.Margin() if margin is None else gates.Margin.parse(margin)
    opened = Run.open(run) if run is not None else _run_embedded(out, engine)
    if update and file is not None:
        gates.make_baseline(opened, limits=wanted).write(file)
        if as_json:
            print_json(document("gate --update", baselines={str(opened.path): str(file)}))
            return 0
        console().print(
            f"baseline: {file}, {counted(len(opened.record.cells), 'cell')} of {opened.record.dataset.describe()}"
        )
        return 0
    result = gates.gate(opened, reference, margin=allowed, limits=wanted)
    if junit is not None:
        write_atomically(junit, gates.junit(result))
    if markdown is not None:
        write_atomically(markdown, gates.markdown(result))
    if report is not None:
        reports.write(opened, report, baseline=reference, baseline_name=file.name if file else "")
    if as_json:
        print_json(_as_json(result))
        return result.exit_code
    console().print_all(gates.lines(result))
    return result.exit_code


def _as_json(result: GateResult) -> dict[str, Any]:
    """The result as plain data for JSON."""
    fields = {
        **asdict(result),
        "margin": str(result.margin),
        "commits": result.commits,
        "summary": result.summary,
        "exit_code": result.exit_code,
    }
    return document("gate", **fields)


def _run_embedded(out: Path, engine: str) -> Run:
    """Sweep the part of the embedded benchmark that has a committed baseline."""
    from nmebench import synthface
    from nmebench.cli.console import progress
    from nmebench.reproduction.embedded import gate_configuration
    from nmebench.sweep import execute

    with progress() as advance:
        synthface.cached(progress=lambda done, total: advance("drawing synthface", done, total))
        return execute(
            gate_configuration(engine=engine),
            out,
            command=["nmebench", *sys.argv[1:]],
            overwrite=True,
            progress=advance,
        )
