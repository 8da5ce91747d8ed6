"""The result of a gate: one row per cell, with the change of every subset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nmebench.gates.margin import Margin
from nmebench.printable import counted
from nmebench.runs.run_commit import Commit

__all__ = ["GateResult", "GateRow", "Outcome", "SubsetChange"]

Outcome = Literal["passed", "regressed", "diverged", "over limit", "missing", "changed", "new"]


@dataclass(frozen=True)
class SubsetChange:
    """A cell on one subset: NME in percent, the difference in percent points, p adjusted over all comparisons."""

    subset: str
    before: float
    after: float
    difference: float
    low: float | None
    high: float | None
    """The interval of the difference; None where one photograph leaves it unknown."""
    p: float


@dataclass(frozen=True)
class GateRow:
    """The result for one cell. The numbers are those of the subset that decided the outcome."""

    cell: str
    outcome: Outcome
    reason: str
    subset: str = "test"
    """The subset that decided the outcome."""
    before: float | None = None
    after: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    changes: tuple[SubsetChange, ...] = ()
    """Every compared subset, ``test`` first; empty for a cell that was not compared."""

    @property
    def failed(self) -> bool:
        """True when the cell fails the gate. A new cell passes, because there is nothing to compare it with."""
        return self.outcome not in ("passed", "new")

    @property
    def compared(self) -> bool:
        """True when the cell was compared face by face."""
        return self.difference is not None

    @property
    def test(self) -> SubsetChange | None:
        """The change on all faces; None for a cell that was not compared."""
        return next((change for change in self.changes if change.subset == "test"), None)

    @property
    def worst(self) -> SubsetChange | None:
        """The subset, other than ``test``, whose NME increased most; None if there is no other subset."""
        others = [change for change in self.changes if change.subset != "test"]
        return max(others, key=lambda change: change.difference, default=None)


@dataclass(frozen=True)
class GateResult:
    """The result of a gate, with one row for every cell of the baseline or the run."""

    rows: tuple[GateRow, ...]
    dataset: str
    faces: int
    margin: Margin
    level: float
    notes: tuple[str, ...] = ()
    """Facts that don't decide the result: heatmaps without a maximum, settings that an old baseline doesn't record."""
    problem: str | None = None
    """The reason why no cell can be compared, for example because the run has other faces; None if there is none."""
    before: Commit | None = None
    """The commit of the baseline; None where it isn't known."""
    after: Commit | None = None
    """The commit of the run; None where it isn't known."""
    limits: tuple[str, ...] = ()
    """The limits that were checked."""
    has_baseline: bool = True
    """False for a gate that checks limits alone."""

    @property
    def nothing_comparable(self) -> bool:
        """True when no cell was compared. The gate fails then, because it tested nothing."""
        return self.has_baseline and not any(row.compared for row in self.rows)

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 3 nothing was comparable."""
        if self.nothing_comparable:
            return 3
        return int(any(row.failed for row in self.rows))

    @property
    def passed(self) -> bool:
        """True when the gate passed."""
        return self.exit_code == 0

    @property
    def commits(self) -> str:
        """The commits of both sides as text.

        Example:
            ``baseline 0123456789, run 89abcdef01 with uncommitted changes``
        """
        run = f"run {_text(self.after)}"
        return f"baseline {_text(self.before)}, {run}" if self.has_baseline else run

    @property
    def summary(self) -> str:
        """The result in one line."""
        if self.nothing_comparable:
            return f"gate failed: nothing was comparable ({self.problem or 'no cell of the baseline was measured'})"
        failed = [row.cell for row in self.rows if row.failed]
        faces = f"{counted(self.faces, 'face')} of {self.dataset}"
        if self.has_baseline:
            compared = counted(sum(row.compared for row in self.rows), "cell")
            scope = f"{compared} compared on {faces}, margin {self.margin}"
        else:
            within = "" if failed else " within the limits"
            scope = f"{counted(len(self.rows), 'cell')}{within} on {faces}, no baseline"
        return f"gate failed: {', '.join(failed)} ({scope})" if failed else f"gate passed: {scope}"


def _text(commit: Commit | None) -> str:
    return "of an unknown commit" if commit is None else commit.text
