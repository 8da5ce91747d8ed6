"""``nmebench reproduce``: the embedded benchmark, and WFLW where its files are available."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmebench.cli.option_help import ENGINE

if TYPE_CHECKING:
    from nmebench.checks import Verdict
    from nmebench.runs.run_store import Run
    from nmebench.sweep import SweepConfiguration

__all__ = ["command"]

_WFLW_HELP = (
    "WFLW was not run: its photographs may not be redistributed. Get them with `nmebench data fetch wflw "
    "--accept-licence` and the checkpoints with `nmebench data fetch weights --accept-licence`, then run `nox -s "
    "reproduce -- --wflw`; or set NMEBENCH_WFLW to a folder that holds WFLW_annotations and WFLW_images."
)

Advance = Callable[[str, int, int], None]


def command(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the runs and their reports.")] = Path(
        "out/reproduce"
    ),
    wflw: Annotated[bool, typer.Option("--wflw", help="Also run WFLW; missing files are downloaded.")] = False,
    wflw_root: Annotated[
        Path | None, typer.Option(help="Folder of WFLW; by default NMEBENCH_WFLW, or with --wflw the downloads.")
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="With --wflw: accept the licence notices of the downloads.")
    ] = False,
    embedded: Annotated[bool, typer.Option("--embedded/--no-embedded", help="Run the embedded benchmark.")] = True,
    model: Annotated[
        list[str] | None,
        typer.Option(help="With WFLW: the model cards to run; by default every card whose weights are available."),
    ] = None,
    engine: Annotated[str, typer.Option(help=f"{ENGINE}.")] = "auto",
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Store thumbnails for the reports.")
    ] = True,
) -> int:
    """Sweep, check and report the embedded benchmark, and the published WFLW tables where WFLW is available.

    Exit code: 0 reproduced, 1 something deviates, 3 nothing was comparable.
    """
    from nmebench.cli.console import progress
    from nmebench.errors import InputError

    root = wflw_root or (Path(os.environ["NMEBENCH_WFLW"]) if os.environ.get("NMEBENCH_WFLW") else None)
    codes: list[int] = []
    with progress() as advance:
        if wflw and root is None:
            root = _fetch_wflw(model, accept_licence, advance)
        if root is not None and not root.is_dir():
            raise InputError(f"{root}: no such folder; give the folder that holds WFLW_annotations and WFLW_images")
        if embedded:
            codes += _reproduce_embedded(out, engine, pictures, advance, without_wflw=root is None)
        if root is not None:
            codes.append(_reproduce_wflw(root, out / "wflw", model, engine, pictures, advance))
    if not codes:
        raise InputError("nothing to run: --no-embedded without WFLW; add --wflw or --wflw-root FOLDER")
    code = 1 if 1 in codes else 0 if 0 in codes else 3
    typer.echo({0: "reproduced", 1: "NOT reproduced: something deviates", 3: "nothing was comparable"}[code])
    return code


def _fetch_wflw(model: list[str] | None, accept_licence: bool, advance: Advance) -> Path:
    from nmebench import fetch
    from nmebench.cli.data import download_progress, print_retry
    from nmebench.paths import wflw_folder

    for name in ("wflw", *(model or ["weights"])):
        fetch.fetch(name, accept_licence=accept_licence, progress=download_progress(advance), note=print_retry)
    return wflw_folder()


def _sweep(configuration: SweepConfiguration, out: Path, advance: Advance, not_run: Sequence[str]) -> Run:
    """Run a sweep: replaces a complete earlier run in the folder and resumes an interrupted one."""
    from nmebench.sweep import execute

    command = ["nmebench", *sys.argv[1:]]
    return execute(configuration, out, command=command, overwrite=True, not_run=not_run, progress=advance)


def _reproduce_embedded(
    out: Path, engine: str, pictures: bool, advance: Advance, *, without_wflw: bool
) -> Iterator[int]:
    """Run the embedded sweeps and yield the exit code of each."""
    from nmebench import checks, reproduction, synthface

    folder = synthface.cached(progress=lambda done, total: advance("drawing synthface", done, total))
    sweeps = {
        "synthface": reproduction.embedded_configuration(engine=engine, pictures=pictures),
        "encodings": reproduction.encodings_configuration(engine=engine, pictures=pictures),
    }
    for name, configuration in sweeps.items():
        run = _sweep(configuration, out / name, advance, not_run=(_WFLW_HELP,) if without_wflw else ())
        expected = reproduction.read_expected([request.card for request in configuration.models])
        verdict = checks.Verdict(rows=(*checks.check(run).rows, *reproduction.check_expected(run, expected)))
        typer.echo(
            f"{configuration.title}: {run.record.dataset.describe()} of synthface ({folder.name}), "
            f"{len(run.record.cells)} cells"
        )
        yield _write_results(run, verdict)
    if without_wflw:
        typer.echo(f"not run: {_WFLW_HELP}")


def _reproduce_wflw(
    root: Path, out: Path, model: list[str] | None, engine: str, pictures: bool, advance: Advance
) -> int:
    from nmebench import checks
    from nmebench.errors import InputError
    from nmebench.models import card as cards
    from nmebench.models.errors import ModelError
    from nmebench.sweep import ModelRequest, SweepConfiguration

    usable, missing = [], []
    for name in model or [name for name in cards.shipped() if "wflw" in cards.load(name).reported]:
        try:
            cards.load(name).weights_path()
            usable.append(name)
        except ModelError as error:
            missing.append(str(error))
    if not usable:
        raise InputError(f"{root}: no checkpoint to run on WFLW ({missing[0] if missing else 'no card was given'})")
    configuration = SweepConfiguration(
        data=f"wflw:{root}",
        models=tuple(ModelRequest(card=name) for name in usable),
        engine=engine,
        pictures=pictures,
        title="The published tables",
    )
    run = _sweep(configuration, out, advance, not_run=missing)
    verdict = checks.check(run)
    if verdict.exit_code == 1:
        verdict = checks.explain(run, verdict, checks.make_rerun(run))
    typer.echo(f"ran: {run.record.dataset.describe()} of WFLW, {len(run.record.cells)} cells")
    for sentence in missing:
        typer.echo(f"not run: {sentence}")
    return _write_results(run, verdict)


def _write_results(run: Run, verdict: Verdict) -> int:
    """Store and print a verdict, write the report, and return the exit code."""
    from nmebench import reports
    from nmebench.cli.verdict_table import print_verdict, write_verdict

    write_verdict(run, verdict)  # before the report, which shows it
    print_verdict(verdict, only_deviating=True)
    page = reports.write(run, run.path / "report.html", pictures=True)
    typer.echo(f"scores: {run.path / 'scores.csv'}")
    typer.echo(f"report: {page}")
    return verdict.exit_code
