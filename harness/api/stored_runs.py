"""Runs as a caller has them: objects, folders of runs, folders of sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path

from nmebench.errors import InputError
from nmebench.runs.run_store import Run
from nmebench.runs.sweep_folder import SweepFolder, is_sweep

__all__ = ["AnyRun", "opened", "runs_of"]

AnyRun = Run | SweepFolder | str | PathLike[str]
"""A run or a sweep over several data sets, or the folder of either."""


def opened(run: AnyRun) -> Run | SweepFolder:
    """Open a folder; an object is returned as it is.

    Raises:
        InputError: there is no run or sweep, it is damaged, or the argument is something else.
    """
    if isinstance(run, Run | SweepFolder):
        return run
    if not isinstance(run, str | PathLike):
        raise InputError(f"a {type(run).__name__} is no run; give a run from nmebench.load, or its folder")
    path = Path(fspath(run))
    return SweepFolder.open(path) if is_sweep(path) else Run.open(path)


def runs_of(run: Run | SweepFolder) -> Mapping[str, Run]:
    """Return the runs by the names of their folders."""
    return run.runs if isinstance(run, SweepFolder) else {run.path.resolve().name: run}
