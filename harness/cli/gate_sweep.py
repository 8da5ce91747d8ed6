"""``nmebench gate`` on a sweep over several data sets: a baseline file per run, and one exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nmebench.cli.worst_run import line, worst
from nmebench.errors import InputError
from nmebench.printable import shown

if TYPE_CHECKING:
    from nmebench.gates import Baseline, GateResult
    from nmebench.runs.sweep_folder import SweepFolder

__all__ = ["Outputs", "command", "read_baselines"]


@dataclass(frozen=True)
class Outputs:
    """The files that the gate writes besides its lines."""

    junit: Path | None
    markdown: Path | None
    report: Path | None
    as_json: bool


def command(
    path: Path,
    baselines: Path | None,
    *,
    update: bool,
    margin: str | None,
    limits: Sequence[str],
    outputs: Outputs,
    to_json: Callable[[GateResult], dict[str, Any]],
) -> int:
    """Compare each run of a sweep with its own baseline, or write the baselines.

    Args:
        path: the folder of the sweep.
        baselines: a folder with ``NAME.json`` for each run folder ``NAME``; None checks the limits alone.
        update: write the baselines instead of comparing.
        margin: the allowed increase of NME, as on the command line.
        limits: absolute limits, which hold for every run.
        outputs: the files to write.
        to_json: the result of one run as plain data.

    Returns:
        The exit code of the worst run.

    Raises:
        InputError: a baseline or run is missing or damaged, or a baseline has no run.
    """
    from nmebench import gates, reports
    from nmebench.cli.json_output import print_json
    from nmebench.files import write_atomically
    from nmebench.runs.sweep_folder import SweepFolder

    sweep = SweepFolder.open(path)
    wanted = tuple(gates.Limit.parse(text) for text in limits)
    if update and baselines is not None:
        return _update(sweep, baselines, wanted)
    references = {} if baselines is None else read_baselines(sweep, baselines)
    allowed = gates.Margin() if margin is None else gates.Margin.parse(margin)
    results = {
        folder: gates.gate(run, references.get(folder), margin=allowed, limits=wanted)
        for folder, run in sweep.runs.items()
    }
    codes = {folder: result.exit_code for folder, result in results.items()}
    if outputs.junit is not None:
        write_atomically(outputs.junit, gates.junit(*results.values()))
    if outputs.markdown is not None:
        write_atomically(outputs.markdown, "\n".join(gates.markdown(result) for result in results.values()))
    if outputs.report is not None:
        reports.write_several(sweep.runs, outputs.report, title=sweep.record.title, baselines=references)
    if outputs.as_json:
        runs = {folder: to_json(result) for folder, result in results.items()}
        print_json({"schema_version": 1, "kind": "nmebench gate of a sweep", "exit_code": worst(codes), "runs": runs})
        return worst(codes)
    for folder, result in results.items():
        for text in gates.lines(result):
            typer.echo(f"{folder}: {text}")
    typer.echo(line("gate", codes))
    return worst(codes)


def read_baselines(sweep: SweepFolder, folder: Path) -> Mapping[str, Baseline]:
    """Read the baseline of each run of a sweep: ``NAME.json`` in a folder, or the run ``NAME`` of an earlier sweep.

    Raises:
        InputError: ``folder`` is no folder, a baseline is missing or damaged, or it has a baseline of a run that the
            sweep doesn't have.
    """
    from nmebench import gates
    from nmebench.runs import run_files
    from nmebench.runs.sweep_folder import SweepFolder, is_sweep

    if folder.exists() and not folder.is_dir():
        raise InputError(
            f"--baseline {shown(folder)}: is a file; a sweep over several data sets needs a folder with a file per run"
        )
    if run_files.exists(folder / "run.json"):
        raise InputError(
            f"--baseline {shown(folder)}: is a run of one data set; a sweep over several data sets needs a folder with "
            "a file per run, or an earlier sweep"
        )
    if is_sweep(folder):
        earlier = SweepFolder.open(folder).runs
        found = {name: gates.make_baseline(run) for name, run in earlier.items()}
    else:
        files = sorted(folder.glob("*.json")) if folder.is_dir() else []
        found = {file.stem: gates.Baseline.read(file) for file in files}
    for name in sweep.runs:
        if name not in found:
            raise InputError(
                f"--baseline {shown(folder)}: has no baseline of the run {name}; write all of them with --update"
            )
    left = sorted(set(found) - set(sweep.runs))
    if left:
        raise InputError(
            f"--baseline {shown(folder)}: has a baseline of {left[0]}, which the sweep {shown(sweep.path)} did not "
            "measure; give the missing --data, or remove the baseline"
        )
    return found


def _update(sweep: SweepFolder, folder: Path, limits: Sequence[Any]) -> int:
    """Write the baseline of each run."""
    from nmebench import gates

    made = {name: gates.make_baseline(run, limits=limits) for name, run in sweep.runs.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--baseline {shown(folder)}: can't be made ({error.strerror}); give another") from error
    for name, baseline in made.items():
        baseline.write(folder / f"{name}.json")
        cells = f"{len(baseline.cells)} cells of {sweep.runs[name].record.dataset.describe()}"
        typer.echo(f"baseline: {folder / name}.json, {cells}")
    return 0
