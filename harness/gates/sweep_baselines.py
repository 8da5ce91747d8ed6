"""The baselines of a sweep over several data sets: one per run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nmebench.errors import InputError
from nmebench.gates.baseline import Baseline, make_baseline
from nmebench.printable import shown
from nmebench.runs import run_files
from nmebench.runs.sweep_folder import SweepFolder, is_sweep

__all__ = ["read_baselines"]


def read_baselines(sweep: SweepFolder, folder: Path) -> Mapping[str, Baseline]:
    """Read the baseline of each run of a sweep: ``NAME.json`` in a folder, or the run ``NAME`` of an earlier sweep.

    Raises:
        InputError: ``folder`` is no folder, a baseline is missing or damaged, or it has a baseline of a run that the
            sweep doesn't have.
    """
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
        found = {name: make_baseline(run) for name, run in earlier.items()}
    else:
        files = sorted(folder.glob("*.json")) if folder.is_dir() else []
        found = {file.stem: Baseline.read(file) for file in files}
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
