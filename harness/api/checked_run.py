"""``nmebench.check``: comparison with the numbers reported for a run's networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from nmebench import checks
from nmebench.api.result import Result
from nmebench.api.stored_runs import AnyRun, opened, runs_of
from nmebench.checks import Verdict, VerdictRow
from nmebench.runs.worst_run import line, worst

__all__ = ["CheckedRun", "check"]

_COLUMNS = ("model", "table", "metric", "subset", "reported", "measured", "difference", "status", "reason", "source")


@dataclass(frozen=True, repr=False)
class CheckedRun(Result):
    """The result of :func:`nmebench.check`."""

    verdicts: Mapping[str, Verdict]
    """The verdict of each run, by the name of its folder."""

    @property
    def exit_code(self) -> int:
        """0 when something was reproduced and nothing deviates, 1 when something deviates, 3 otherwise."""
        return worst({name: verdict.exit_code for name, verdict in self.verdicts.items()})

    @property
    def summary(self) -> str:
        """The result in one line."""
        if len(self.verdicts) == 1:
            return next(iter(self.verdicts.values())).summary
        return line("check", {name: verdict.exit_code for name, verdict in self.verdicts.items()})

    @property
    def frame(self) -> pd.DataFrame:
        """One row per reported number.

        ``run``, ``model``, ``table``, ``metric``, ``subset``, ``reported`` and ``measured`` (percent, AUC a fraction),
        ``difference`` (measured minus reported), ``status`` (``reproduced``, ``deviates``, ``not comparable`` or ``not
        run``), ``reason``, ``source``.
        """
        rows = [_row(name, row) for name, verdict in self.verdicts.items() for row in verdict.rows]
        return pd.DataFrame(rows, columns=["run", *_COLUMNS])


def _row(run: str, row: VerdictRow) -> dict[str, object]:
    return {"run": run, **{column: getattr(row, column) for column in _COLUMNS}}


def check(run: AnyRun, *, published: bool = True, explain: bool = False) -> CheckedRun:
    """Compare the numbers that are reported for a run's networks with the measured ones, as ``nmebench check`` does.

    Nothing is written; the command stores its result as ``verdict.json``.

    Args:
        run: a run, a sweep over several data sets, or the folder of either.
        published: also compare with published tables whose checkpoint has the hash of the weights that ran.
        explain: test the likely causes of a deviation, which takes further sweeps of minutes. The command does so by
            default. :attr:`CheckedRun.verdicts` has the causes.

    Returns:
        The result. ``passed`` is True when something was reproduced and nothing deviates.

    Raises:
        InputError: there is no run, it isn't scored, or it is damaged.

    Example:
        >>> check("RUN")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: RUN: no run here (run.json is missing)...
    """
    verdicts = {}
    for name, one in runs_of(opened(run)).items():
        verdict = checks.check(one, published=published)
        if explain and verdict.exit_code == 1:
            verdict = checks.explain(one, verdict, checks.make_rerun(one))
        verdicts[name] = verdict
    return CheckedRun(verdicts)
