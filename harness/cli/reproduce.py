"""``nmebench reproduce``: the embedded benchmark, and WFLW where its files are available."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nmebench.cli.console import console
from nmebench.cli.json_output import Json, document, print_json
from nmebench.cli.option_help import ENGINE, MODEL
from nmebench.printable import counted

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


@dataclass(frozen=True)
class _Result:
    """A sweep's run with its verdict and its page."""

    heading: str
    run: Run
    verdict: Verdict
    page: Path

    @property
    def scores(self) -> Path:
        return self.run.path / "scores.csv"

    def as_json(self) -> dict[str, Any]:
        verdict = self.verdict.model_dump(mode="json")
        return {"run": self.run.path, "scores": self.scores, "report": self.page, "verdict": verdict}


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
        typer.Option(help=f"With WFLW: the cards to run ({MODEL}); by default all whose weights are available."),
    ] = None,
    engine: Annotated[str, typer.Option(help=f"{ENGINE}.")] = "auto",
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Store thumbnails for the reports.")
    ] = True,
    as_json: Json = False,
) -> int:
    """Sweep, check and report the embedded benchmark, and the published WFLW tables where WFLW is available.

    Exit code: 0 reproduced, 1 something deviates, 3 nothing was comparable.

    Examples:
      nmebench reproduce
      nmebench reproduce --wflw --accept-licence -o out/reproduce
      nmebench reproduce --no-embedded --wflw-root WFLW --model mmpose-hrnetv2-w18-dark
    """
    from nmebench.cli.console import progress
    from nmebench.errors import InputError

    root = wflw_root or (Path(os.environ["NMEBENCH_WFLW"]) if os.environ.get("NMEBENCH_WFLW") else None)
    results: list[_Result] = []
    notes: list[str] = []
    with progress() as advance:
        if wflw and root is None:
            root = _fetch_wflw(model, accept_licence, advance)
        if root is not None and not root.is_dir():
            raise InputError(f"{root}: no such folder; give the folder that holds WFLW_annotations and WFLW_images")
        if embedded:
            for result in _reproduce_embedded(out, engine, pictures, advance, without_wflw=root is None):
                results.append(result)
                if not as_json:
                    _print(result)
            if root is None:
                notes.append(_WFLW_HELP)
        if root is not None:
            result, missing = _reproduce_wflw(root, out / "wflw", model, engine, pictures, advance)
            results.append(result)
            notes += missing
            if not as_json:
                _print(result)
    if not results:
        raise InputError("nothing to run: --no-embedded without WFLW; add --wflw or --wflw-root FOLDER")
    codes = [result.verdict.exit_code for result in results]
    code = 1 if 1 in codes else 0 if 0 in codes else 3
    if as_json:
        sweeps = [result.as_json() for result in results]
        print_json(document("reproduce", exit_code=code, sweeps=sweeps, not_run=notes))
        return code
    lines = console()
    lines.print_all(f"not run: {note}" for note in notes)
    lines.print({0: "reproduced", 1: "NOT reproduced: something deviates", 3: "nothing was comparable"}[code])
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
) -> Iterator[_Result]:
    """Run the embedded sweeps and yield the result of each."""
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
        yield _write_results(f"{configuration.title}: ", f"synthface ({folder.name})", run, verdict)


def _reproduce_wflw(
    root: Path, out: Path, model: list[str] | None, engine: str, pictures: bool, advance: Advance
) -> tuple[_Result, list[str]]:
    """Run WFLW; returns the result, and why networks were not run."""
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
    return _write_results("ran: ", "WFLW", run, verdict), missing


def _write_results(title: str, data: str, run: Run, verdict: Verdict) -> _Result:
    """Store a verdict and write the report."""
    from nmebench import reports
    from nmebench.cli.verdict_table import write_verdict

    write_verdict(run, verdict)  # before the report, which shows it
    heading = f"{title}{run.record.dataset.describe()} of {data}, {counted(len(run.record.cells), 'cell')}"
    return _Result(heading, run, verdict, reports.write(run, run.path / "report.html", pictures=True))


def _print(result: _Result) -> None:
    """Print the numbers that deviate, the summary and the paths."""
    from nmebench.cli.verdict_table import print_verdict

    out = console()
    out.print(result.heading)
    print_verdict(result.verdict, only_deviating=True)
    out.print(f"scores: {result.scores}")
    out.print(f"report: {result.page}")
