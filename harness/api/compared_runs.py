"""``nmebench.compare``: runs, or any cells, face by face."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath

import pandas as pd

from nmebench import comparisons
from nmebench.api.result import Result
from nmebench.comparisons import CellDifference, CellScores, Comparison, Selection
from nmebench.errors import InputError
from nmebench.runs.cell_selection import find_cell
from nmebench.runs.run_store import Run

__all__ = ["ComparedRuns", "compare"]

RunOrCell = Run | str | PathLike[str] | tuple[Run | str | PathLike[str], str]
"""A run or its folder, a text ``RUN:CELL``, or a run and one of its cells."""


@dataclass(frozen=True, repr=False)
class ComparedRuns(Result):
    """The result of :func:`nmebench.compare`."""

    comparison: Comparison
    """The comparison with its ranking and its notes on what differs."""

    @property
    def exit_code(self) -> int:
        """0, or 3 when nothing was comparable."""
        return self.comparison.exit_code

    @property
    def summary(self) -> str:
        """The result in one line."""
        return self.comparison.summary

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything that differs between the runs besides their scores, one line each."""
        return self.comparison.notes

    @property
    def frame(self) -> pd.DataFrame:
        """One row per cell and run, or per pair with ``all_pairs``.

        Per cell and run: ``cells``, ``run``, ``nme`` (percent), ``nme_SUBSET``, FR and AUC by name, and from the first
        run ``difference``, ``low``, ``high`` (percent points, 95 % interval), ``p`` (adjusted) and ``result``
        (``better``, ``worse``, ``no difference``). Per pair: ``first``, ``second`` and those of second minus first.
        """
        if self.comparison.pairs:
            pairs = self.comparison.pairs
            return pd.DataFrame(
                [{"first": one.first, "second": one.second, **_difference(one.difference)} for one in pairs]
            )
        return pd.DataFrame(
            [
                {"cells": row.label, "run": name, **_scores(scores), **_difference(difference)}
                for row in self.comparison.rows
                for name, scores, difference in zip(self.comparison.names, row.scores, row.differences, strict=True)
                if scores is not None
            ]
        )

    @property
    def ranking(self) -> pd.DataFrame:
        """With ``all_pairs``: ``rank``, ``cell``, ``nme`` (percent) and the cells without a significant difference."""
        return pd.DataFrame(
            [
                {"rank": one.rank, "cell": one.cell, "nme": one.nme, "tied": ", ".join(one.tied)}
                for one in self.comparison.ranking
            ],
            columns=["rank", "cell", "nme", "tied"],
        )


def _scores(scores: CellScores) -> dict[str, object]:
    subsets = {f"nme_{name}": value for name, value in scores.nme.items() if name != "test"}
    return {"nme": scores.nme["test"], **subsets, **scores.rates}


def _difference(found: CellDifference | None) -> dict[str, object]:
    names = ("difference", "low", "high", "p", "result")
    return {name: None if found is None else getattr(found, name) for name in names}


def compare(*runs: RunOrCell, all_pairs: bool = False, level: float = 0.95) -> ComparedRuns:
    """Compare runs, or any cells, on the faces that they share, as ``nmebench compare`` does.

    The differences are paired, with intervals over photographs and p adjusted over all comparisons.

    Args:
        *runs: runs or their folders, which are compared cell by cell with the first; or cells, as a text ``RUN:CELL``
            or a pair ``(run, "dark")`` with the cell's id or an unambiguous part of it.
        all_pairs: compare every pair of cells, also of a single run, and rank them.
        level: level of the intervals; a difference is significant when its adjusted p is below ``1 - level``.

    Returns:
        The result. ``passed`` is True when something was comparable.

    Raises:
        InputError: fewer than two runs or cells are given, one is missing or damaged, or they can't be compared.

    Example:
        >>> compare("RUN")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: RUN: no run here (run.json is missing)...
    """
    if not 0 < level < 1:
        raise InputError(f"level {level}: must be between 0 and 1 (0.95 is usual)")
    if not runs:
        raise InputError("no run given; give two or more to compare")
    return ComparedRuns(comparisons.compare_selected(_selections(runs), all_pairs=all_pairs, level=level))


def _selections(runs: tuple[RunOrCell, ...]) -> list[Selection]:
    """Open the runs, each folder once."""
    texts = [_path(one[0]) if isinstance(one, tuple) else _path(one) for one in runs if not _is_object(one)]
    from_texts = iter(comparisons.select(texts))
    found = []
    for one in runs:
        chosen = Selection(_object(one), None) if _is_object(one) else next(from_texts)
        if isinstance(one, tuple):
            chosen = Selection(chosen.run, find_cell(chosen.run, str(one[1])).id)
        found.append(chosen)
    return found


def _is_object(one: RunOrCell) -> bool:
    if isinstance(one, tuple) and len(one) != 2:
        raise InputError('a tuple must be a run and a cell of it: (run, "dark")')
    return isinstance(one[0] if isinstance(one, tuple) else one, Run)


def _object(one: RunOrCell) -> Run:
    run = one[0] if isinstance(one, tuple) else one
    assert isinstance(run, Run)  # noqa: S101 - see _is_object
    return run


def _path(one: object) -> str:
    if not isinstance(one, str | PathLike):
        raise InputError(f"a {type(one).__name__} is no run; give a run from nmebench.load, or its folder")
    return fspath(one)
