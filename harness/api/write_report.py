"""``nmebench.report``: the HTML page of a run or a sweep."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from nmebench import reports
from nmebench.api.stored_runs import AnyRun, opened
from nmebench.runs.sweep_folder import SweepFolder

__all__ = ["report"]


def report(run: AnyRun, out: str | PathLike[str] | None = None, *, pictures: bool = True) -> Path:
    """Write the report of a run, as ``nmebench report`` does (docs/report.md).

    Args:
        run: a run, a sweep over several data sets, or the folder of either.
        out: the HTML file; None for ``report.html`` in the folder.
        pictures: include pictures of faces in the page.

    Returns:
        The path of the page.

    Raises:
        InputError: there is no run, it isn't scored or damaged, or the file can't be written.

    Example:
        >>> report("RUN")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: RUN: no run here (run.json is missing)...
    """
    chosen = opened(run)
    file = chosen.path / "report.html" if out is None else Path(out)
    if isinstance(chosen, SweepFolder):
        return reports.write_several(chosen.runs, file, pictures=pictures, title=chosen.record.title)
    return reports.write(chosen, file, pictures=pictures)
