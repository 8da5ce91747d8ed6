"""Assertions on runs for a test suite: :func:`assert_nme`, :func:`assert_scores` and :func:`assert_gate`.

The pytest plugin :mod:`nmebench.pytest_plugin` offers the gate as a fixture.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import wraps
from os import PathLike, fspath
from pathlib import Path
from types import MappingProxyType
from typing import Final, ParamSpec

from nmebench import gates
from nmebench.errors import InputError
from nmebench.metric_names import Metric, is_metric
from nmebench.runs.cell_selection import find_cell
from nmebench.runs.run_store import Run
from nmebench.suggest import unknown

__all__ = ["Bound", "assert_gate", "assert_nme", "assert_scores"]

Bound = float | tuple[str, float]
"""An upper limit, or a relation and a number such as ``("<=", 4.0)``."""

_Parameters = ParamSpec("_Parameters")

_RELATIONS: Final[Mapping[str, Callable[[float, float], bool]]] = MappingProxyType(
    {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt}
)


def _one_line(check: Callable[_Parameters, None]) -> Callable[_Parameters, None]:
    """Drop nmebench's own lines from an InputError's traceback, so that pytest shows the caller's line alone."""

    @wraps(check)
    def checked(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> None:
        __tracebackhide__ = True
        try:
            check(*args, **kwargs)
        except InputError as error:
            raise error.with_traceback(None) from None

    return checked


@_one_line
def assert_nme(run: Run | str | PathLike[str], cell: str, **subsets: Bound) -> None:
    """Assert the NME of a cell, percent.

    Args:
        run: a run or its folder.
        cell: the cell's id or an unambiguous part of it, such as ``dark``
            (:func:`~nmebench.runs.cell_selection.find_cell`).
        **subsets: the bound by subset: ``test=("<=", 4.0)``, or ``pose=7.0`` for an upper limit.

    Raises:
        AssertionError: a bound does not hold; the message names each of them and the measured value.
        InputError: the cell, a subset or a relation is unknown, or no bound is given.
    """
    __tracebackhide__ = True  # pytest shows the caller's line
    assert_scores(run, cell, "nme", **subsets)


@_one_line
def assert_scores(run: Run | str | PathLike[str], cell: str, metric: str, **subsets: Bound) -> None:
    """Assert a metric of a cell.

    Args:
        run: a run or its folder.
        cell: the cell's id or an unambiguous part of it.
        metric: a column of the run's ``scores.csv``: ``nme`` or ``fr10`` (percent), ``auc10`` (fraction).
        **subsets: the bound by subset; a number alone is an upper limit, and is refused for AUC.

    Raises:
        AssertionError: a bound does not hold.
        InputError: the cell, the metric, a subset or a relation is unknown, or a bound is missing or has another form.
    """
    __tracebackhide__ = True
    opened = _opened(run)
    if not subsets:
        raise InputError('no bound given: give the subset and its bound, such as test=("<=", 4.0)')
    chosen = find_cell(opened, cell)
    scores = {row["subset"]: row for row in opened.score_rows() if row["cell"] == chosen.id}
    known = [name for name in opened.scores.columns if is_metric(name)]
    if metric not in known:
        raise InputError(unknown("metric", metric, known))
    failed = []
    for subset, bound in subsets.items():
        relation, limit = _bound(metric, subset, bound)
        if subset not in scores:
            raise InputError(unknown("subset", subset, tuple(scores)))
        value = float(scores[subset][metric])
        if not _RELATIONS[relation](value, limit):
            failed.append(f"{metric} on {subset} is {value:.4f}, not {relation} {limit:g}")
    if failed:
        raise AssertionError(f"{chosen.id}: {'; '.join(failed)}")


@_one_line
def assert_gate(
    run: Run | str | PathLike[str],
    baseline: str | PathLike[str],
    *,
    margin: float | str = "0.01",
    update: bool = False,
) -> None:
    """Assert that a run did not regress against a stored baseline (docs/gate.md).

    Args:
        run: a run or its folder.
        baseline: the baseline file, JSON.
        margin: allowed increase of the NME: percent points, or a text such as ``1%``.
        update: write the baseline from the run instead of comparing.

    Raises:
        AssertionError: a cell regressed, diverged or is missing, or nothing was comparable; the message is the gate's
            table.
        InputError: the baseline or the run can't be read.
    """
    __tracebackhide__ = True
    opened, file = _opened(run), Path(fspath(baseline))
    if update:
        gates.make_baseline(opened).write(file)
        return
    result = gates.gate(opened, gates.Baseline.read(file), margin=gates.Margin.parse(str(margin)))
    if result.exit_code:
        raise AssertionError("\n".join(gates.lines(result)))


def _bound(metric: str, subset: str, bound: object) -> tuple[str, float]:
    """Return the relation and the number of a bound."""
    number = isinstance(bound, int | float) and not isinstance(bound, bool)
    if number and Metric.parse(metric).kind == "auc":
        raise InputError(
            f'{subset}={bound}: {metric} is better when larger; give the relation: {subset}=(">=", {bound})'
        )
    pair = ("<=", bound) if number else bound
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InputError(f'{subset}={bound!r}: give a number, or a relation and a number such as ("<=", 4.0)')
    relation, limit = pair
    if relation not in _RELATIONS:
        raise InputError(unknown("relation", str(relation), tuple(_RELATIONS)))
    if not isinstance(limit, int | float) or isinstance(limit, bool):
        raise InputError(f"{subset}={bound!r}: {limit!r} is not a number")
    return relation, float(limit)


def _opened(run: Run | str | PathLike[str]) -> Run:
    return run if isinstance(run, Run) else Run.open(fspath(run))
