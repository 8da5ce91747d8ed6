"""``nmebench report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmebench.cli.console import console
from nmebench.cli.json_output import Json, document, print_json
from nmebench.errors import InputError
from nmebench.printable import shown

if TYPE_CHECKING:
    from nmebench.gates import Baseline

__all__ = ["command", "read_baseline"]


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Folder of a run, or of a sweep over several data sets; several give one page."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Path of the HTML file; RUN/report.html by default; needed for several RUN."),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Include pictures of faces in the page.")
    ] = True,
    timings: Annotated[
        bool, typer.Option("--timings", help="Add timings; the pages of two equal runs then differ.")
    ] = False,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="Folder of an earlier run on the same faces, or a baseline file: the page shows the change. For a "
            "sweep: an earlier sweep, or a folder with a baseline file per run."
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Write the report of a run, or of several, as one self-contained HTML page.

    Examples:
      nmebench report RUN
      nmebench report SWEEP --baseline OLD
      nmebench report RUN_A RUN_B -o report.html
    """
    from nmebench import reports
    from nmebench.cli.outputs import check_output
    from nmebench.runs.run_store import Run
    from nmebench.runs.sweep_folder import is_sweep

    check_output(out, "--out")
    if len(runs) > 1 or is_sweep(runs[0]):
        return _several(runs, out, pictures=pictures, timings=timings, baseline=baseline, as_json=as_json)
    page = reports.write(
        Run.open(runs[0]),
        out or runs[0] / "report.html",
        pictures=pictures,
        timings=timings,
        baseline=None if baseline is None else read_baseline(baseline),
        baseline_name="" if baseline is None else baseline.resolve().name,
    )
    return _print(page, [runs[0]], as_json=as_json)


def _print(page: Path, runs: Sequence[Path], *, as_json: bool) -> int:
    """Print the path of a page."""
    if as_json:
        print_json(document("report", page=page, runs=list(runs)))
    else:
        console().print(f"report: {page}")
    return 0


def _several(
    folders: Sequence[Path],
    out: Path | None,
    *,
    pictures: bool,
    timings: bool,
    baseline: Path | None,
    as_json: bool,
) -> int:
    """Write one page of several runs, or of a sweep over several data sets."""
    from nmebench import reports
    from nmebench.gates.sweep_baselines import read_baselines
    from nmebench.runs.run_store import Run
    from nmebench.runs.sweep_folder import SweepFolder, folder_names, is_sweep

    sweep = SweepFolder.open(folders[0]) if len(folders) == 1 else None
    if sweep is not None:
        runs = sweep.runs
    elif out is None:
        raise InputError(f"a page of {len(folders)} runs belongs to none of their folders: name it with -o FILE.html")
    else:
        opened = [
            run
            for folder in folders
            for run in (SweepFolder.open(folder).runs.values() if is_sweep(folder) else [Run.open(folder)])
        ]
        twice = next((run.path for i, run in enumerate(opened) if run.path in [r.path for r in opened[:i]]), None)
        if twice is not None:
            raise InputError(f"{shown(twice)} is given twice; name each run once")
        runs = dict(zip(folder_names([run.record.dataset.name for run in opened]), opened, strict=True))
    if baseline is not None and sweep is None:
        raise InputError("--baseline compares one run or one sweep; write their pages one at a time")
    page = reports.write_several(
        runs,
        out or folders[0] / "report.html",
        pictures=pictures,
        timings=timings,
        title=sweep.record.title if sweep else "",
        baselines=None if baseline is None or sweep is None else read_baselines(sweep, baseline),
        baseline_name="" if baseline is None else baseline.resolve().name,
    )
    return _print(page, [run.path for run in runs.values()], as_json=as_json)


def read_baseline(path: Path) -> Baseline:
    """Read a baseline: a file of `nmebench gate`, or an earlier run.

    Raises:
        InputError: the file or run is missing or damaged.
    """
    from nmebench import gates
    from nmebench.runs.run_store import Run

    return gates.make_baseline(Run.open(path)) if path.is_dir() else gates.Baseline.read(path)
