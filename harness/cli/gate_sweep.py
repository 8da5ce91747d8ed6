"""``nmebench gate`` on a sweep over several data sets: a baseline file per run, and one exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmebench.cli.console import console
from nmebench.cli.json_output import document, print_json
from nmebench.errors import InputError
from nmebench.printable import counted, shown
from nmebench.runs.worst_run import line, worst

if TYPE_CHECKING:
    from nmebench.gates import GateResult
    from nmebench.runs.sweep_folder import SweepFolder

__all__ = ["Outputs", "command"]


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
    from nmebench.files import write_atomically
    from nmebench.gates.sweep_baselines import read_baselines
    from nmebench.runs.sweep_folder import SweepFolder

    sweep = SweepFolder.open(path)
    wanted = tuple(gates.Limit.parse(text) for text in limits)
    if update and baselines is not None:
        return _update(sweep, baselines, wanted, as_json=outputs.as_json)
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
        print_json(document("gate of a sweep", exit_code=worst(codes), runs=runs))
        return worst(codes)
    out = console()
    for folder, result in results.items():
        out.print_all(f"{folder}: {text}" for text in gates.lines(result))
    out.print(line("gate", codes))
    return worst(codes)


def _update(sweep: SweepFolder, folder: Path, limits: Sequence[Any], *, as_json: bool) -> int:
    """Write the baseline of each run."""
    from nmebench import gates

    made = {name: gates.make_baseline(run, limits=limits) for name, run in sweep.runs.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--baseline {shown(folder)}: can't be made ({error.strerror}); give another") from error
    for name, baseline in made.items():
        baseline.write(folder / f"{name}.json")
        if not as_json:
            cells = f"{counted(len(baseline.cells), 'cell')} of {sweep.runs[name].record.dataset.describe()}"
            console().print(f"baseline: {folder / name}.json, {cells}")
    if as_json:
        written = {str(sweep.runs[name].path): f"{folder / name}.json" for name in made}
        print_json(document("gate --update", baselines=written))
    return 0
