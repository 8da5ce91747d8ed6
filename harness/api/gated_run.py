"""``nmebench.gate``: comparison of a run with a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import pandas as pd

from nmebench import gates
from nmebench.api.result import Result
from nmebench.api.stored_runs import AnyRun, opened, runs_of
from nmebench.errors import InputError
from nmebench.gates import Baseline, GateResult, GateRow, Margin
from nmebench.gates.sweep_baselines import read_baselines
from nmebench.runs.run_store import Run
from nmebench.runs.sweep_folder import SweepFolder
from nmebench.runs.worst_run import line, worst

__all__ = ["GatedRun", "gate"]

_COLUMNS = ("cell", "outcome", "subset", "before", "after", "difference", "low", "high", "p", "reason")

AnyBaseline = Baseline | Run | SweepFolder | str | PathLike[str] | None
"""A baseline or its file; or an earlier run, or its folder. For a sweep a folder with a file per run, or a sweep."""


@dataclass(frozen=True, repr=False)
class GatedRun(Result):
    """The result of :func:`nmebench.gate`."""

    results: Mapping[str, GateResult]
    """The result of each run, by the name of its folder."""

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 3 nothing was comparable."""
        return worst({name: result.exit_code for name, result in self.results.items()})

    @property
    def summary(self) -> str:
        """The result in one line."""
        if len(self.results) == 1:
            return next(iter(self.results.values())).summary
        return line("gate", {name: result.exit_code for name, result in self.results.items()})

    @property
    def frame(self) -> pd.DataFrame:
        """One row per cell of the baseline or the run.

        ``run``, ``cell``, ``outcome`` (``passed``, ``regressed``, ``diverged``, ``over limit``, ``missing``,
        ``changed`` or ``new``), the ``subset`` that decided, its NME ``before`` and ``after`` (percent),
        ``difference``, ``low``, ``high`` (percent points), ``p`` (adjusted), ``reason``.
        """
        rows = [_row(name, row) for name, result in self.results.items() for row in result.rows]
        return pd.DataFrame(rows, columns=["run", *_COLUMNS])


def _row(run: str, row: GateRow) -> dict[str, object]:
    return {"run": run, **{column: getattr(row, column) for column in _COLUMNS}}


def gate(
    run: AnyRun,
    baseline: AnyBaseline = None,
    *,
    margin: float | str | Margin = gates.DEFAULT_MARGIN,
    limits: Sequence[str] = (),
    level: float = 0.95,
) -> GatedRun:
    """Compare a run with a baseline, as ``nmebench gate`` does (docs/gate.md).

    ``nmebench.gates.make_baseline(run).write(FILE)`` writes a baseline file.

    Args:
        run: a run, a sweep over several data sets, or the folder of either.
        baseline: a baseline file, a :class:`~nmebench.gates.Baseline`, or an earlier run or its folder. For a sweep: a
            folder with a file per run, or an earlier sweep. None checks the limits alone.
        margin: allowed increase of the NME: percent points such as 0.05, or a text such as ``1%``.
        limits: absolute limits such as ``nme@pose<=7.0``, in addition to those of the baseline.
        level: level of the intervals; a difference is significant when its adjusted p is below ``1 - level``.

    Returns:
        The result. ``passed`` is True when no cell failed and something was comparable.

    Raises:
        InputError: the run or the baseline is missing or damaged, a value is not allowed, or there is neither a
            baseline nor a limit.

    Example:
        >>> gate("RUN", "baseline.json")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: RUN: no run here (run.json is missing)...
    """
    chosen = opened(run)
    allowed = margin if isinstance(margin, Margin) else Margin.parse(str(margin))
    references = _baselines(chosen, baseline)
    return GatedRun(
        {
            name: gates.gate(one, references.get(name), margin=allowed, level=level, limits=tuple(limits))
            for name, one in runs_of(chosen).items()
        }
    )


def _baselines(run: Run | SweepFolder, baseline: AnyBaseline) -> Mapping[str, Baseline]:
    """The baseline of each run by the name of its folder."""
    if baseline is None:
        return {}
    if isinstance(run, SweepFolder):
        if isinstance(baseline, Baseline | Run):
            raise InputError("a sweep over several data sets needs a baseline per run: a folder of files, or a sweep")
        return read_baselines(run, baseline.path if isinstance(baseline, SweepFolder) else Path(baseline))
    (name,) = runs_of(run)
    if isinstance(baseline, Baseline):
        return {name: baseline}
    if isinstance(baseline, Run | SweepFolder) or Path(baseline).is_dir():
        earlier = opened(baseline)
        if isinstance(earlier, SweepFolder):
            raise InputError(f"{earlier.path}: is a sweep over several data sets; give the folder of one of its runs")
        return {name: gates.make_baseline(earlier)}
    return {name: Baseline.read(Path(baseline))}
