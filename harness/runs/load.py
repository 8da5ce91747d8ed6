"""Opens a stored run, or a sweep over several data sets."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from nmebench.errors import InputError
from nmebench.runs.run_store import Run
from nmebench.runs.sweep_folder import SweepFolder

__all__ = ["load", "load_sweep"]


def load(run: str | PathLike[str]) -> Run:
    """Open a stored run; its files are read when they are needed.

    Args:
        run: the run's folder, such as ``nmebench run ... -o RUN`` writes.

    Returns:
        The run: :attr:`~nmebench.Run.scores`, :meth:`~nmebench.Run.frame`, :meth:`~nmebench.Run.faces_frame`, ...

    Raises:
        InputError: there is no run, or it is damaged.

    Example:
        >>> load("RUN")
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: RUN: no run here (run.json is missing); make one with `nmebench run ... -o RUN`
    """
    return Run.open(_path(run))


def load_sweep(sweep: str | PathLike[str]) -> SweepFolder:
    """Open a stored sweep over several data sets.

    Args:
        sweep: the folder, such as ``nmebench run --data A --data B -o SWEEP`` writes.

    Returns:
        The sweep; its ``runs`` are the runs by name.

    Raises:
        InputError: there is no sweep, or it is damaged.

    Example:
        >>> load_sweep("SWEEP")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: ...
    """
    return SweepFolder.open(_path(sweep))


def _path(value: object) -> Path:
    if not isinstance(value, str | PathLike):
        raise InputError(f"a {type(value).__name__} is no path; give the folder of a run")
    return Path(fspath(value))
