"""Opens a stored run."""

from __future__ import annotations

from os import PathLike

from nmebench.runs.run_store import Run

__all__ = ["load"]


def load(run: str | PathLike[str]) -> Run:
    """Open a stored run; its files are read when they are needed.

    Args:
        run: the run's folder, such as ``nmebench run ... -o RUN`` writes.

    Raises:
        InputError: there is no run, or it is damaged.

    Example:
        >>> load("RUN")
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: RUN: no run here (run.json is missing); make one with `nmebench run ... -o RUN`
    """
    return Run.open(run)  # type: ignore[arg-type]
