"""The result of a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from nmebench.statistics import PairedDifference, RankedCell

__all__ = ["CellDifference", "CellScores", "ComparedPair", "ComparedRow", "Comparison", "Result"]

Result = Literal["better", "worse", "no difference"]

_RESULTS: Final[tuple[Result, ...]] = ("better", "worse", "no difference")


@dataclass(frozen=True)
class CellScores:
    """The scores of one run's cell on the common faces."""

    cell: str
    nme: Mapping[str, float]
    """Percent by subset."""
    rates: Mapping[str, float]
    """FR (percent) and AUC (fraction) of all common faces by metric, at the thresholds of the first run."""


@dataclass(frozen=True)
class CellDifference:
    """A cell minus the one that it is compared with: percent points of NME, p adjusted over all comparisons."""

    difference: float
    low: float
    high: float
    p: float
    result: Result

    @classmethod
    def of(cls, paired: PairedDifference, p: float, level: float) -> CellDifference:
        """Return a difference with its adjusted ``p``; it is significant when ``p`` is below ``1 - level``."""
        significant = p < 1 - level
        result: Result = "no difference" if not significant else "worse" if paired.difference > 0 else "better"
        return cls(paired.difference, paired.low, paired.high, p, result)


@dataclass(frozen=True)
class ComparedRow:
    """Cells beside each other, one per column; None in a column without such a cell."""

    label: str
    scores: tuple[CellScores | None, ...]
    differences: tuple[CellDifference | None, ...]
    """From the first column; None there."""
    changes: tuple[tuple[str, ...], ...] = ()
    """For each column the settings in which its cell was measured differently from the row's first cell."""

    def changes_of(self, column: int) -> tuple[str, ...]:
        """Return the changes of a column."""
        return self.changes[column] if self.changes else ()


@dataclass(frozen=True)
class ComparedPair:
    """Two cells of a comparison of all pairs."""

    first: str
    second: str
    difference: CellDifference
    """Second minus first."""
    changes: tuple[str, ...]
    """Settings in which the second was measured differently."""


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison: runs as columns with a row per cell, or cells as columns of a single row."""

    names: tuple[str, ...]
    """The columns."""
    dataset: str
    faces: int
    """Number of faces that all runs measured."""
    of: tuple[int, ...]
    """Number of faces of each column's run."""
    subsets: tuple[str, ...]
    rows: tuple[ComparedRow, ...]
    notes: tuple[str, ...]
    level: float
    rates: tuple[str, ...] = ()
    """Names of FR and AUC at the thresholds of the first run, such as ``fr10`` and ``auc10``."""
    pairs: tuple[ComparedPair, ...] = ()
    """All pairs, where they were requested."""
    ranking: tuple[RankedCell, ...] = ()
    """The cells by rank, where all pairs were requested."""

    @property
    def compared(self) -> int:
        """Number of paired comparisons."""
        return len(self.results)

    @property
    def results(self) -> tuple[Result, ...]:
        """The result of each paired comparison."""
        if self.pairs:
            return tuple(pair.difference.result for pair in self.pairs)
        return tuple(d.result for row in self.rows for d in row.differences if d is not None)

    @property
    def exit_code(self) -> int:
        """0, or 3 when nothing was comparable."""
        return 0 if self.compared else 3

    @property
    def summary(self) -> str:
        """The result in one line."""
        if not self.compared:
            return (
                "compare: nothing was comparable: the runs have no cell in common (model, decoder, flip test, box); "
                "name the cells with `nmebench compare RUN:CELL RUN:CELL`, or compare those of one run with "
                "`nmebench compare RUN --all-pairs`"
            )
        on = f"on {self.faces} common faces of {self.dataset}"
        counts = Counter(self.results)
        if self.pairs:
            different = self.compared - counts["no difference"]
            best = ", ".join(cell.cell for cell in self.ranking if cell.rank == 1)
            first = f"; rank 1: {best}" if best else ""
            return f"compare: {self.compared} pairs {on}: {different} with a significant difference{first}"
        found = ", ".join(f"{counts[result]} {result}" for result in _RESULTS if counts[result])
        return f"compare: {self.compared} comparison{'s' if self.compared > 1 else ''} {on}: {found}"
