"""The change since a baseline: every cell and subset compared face by face with an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nmebench.gates import DEFAULT_MARGIN, Baseline, compared_faces, gate, newly_diverged
from nmebench.printable import counted
from nmebench.reports.render.text import display, p_value, signed
from nmebench.reports.sections.differences import outcome_words
from nmebench.reports.view import CellView, RunView
from nmebench.statistics import AdjustedDifference, RankTest, holm, paired_with_holm, rank_test

__all__ = ["ChangeRow", "ChangeSection", "section"]


@dataclass(frozen=True)
class ChangeRow:
    """A cell on a subset, before and now: NME in percent, the difference in percent points."""

    cell: CellView
    subset: str
    before: float
    now: float
    paired: AdjustedDifference
    ranks: RankTest
    p_ranks: float

    @property
    def changed(self) -> str:
        """``better`` or ``worse`` if the difference is significant and above the margin, else empty.

        This is the gate's rule: the mean decides, with Holm's correction over all cells and subsets.
        """
        if abs(self.paired.difference) <= DEFAULT_MARGIN or self.paired.outcome not in ("better", "worse"):
            return ""
        return self.paired.outcome

    @property
    def words(self) -> str:
        """The result, and whether the ranks agree with the mean."""
        if not self.changed:
            return "unchanged within the margin" if abs(self.paired.difference) <= DEFAULT_MARGIN else "not significant"
        return outcome_words(self.paired, self.ranks, self.p_ranks)

    @property
    def difference(self) -> str:
        """The difference, now minus before."""
        return signed(self.paired.difference, 3)

    @property
    def interval(self) -> str:
        """The 95 % interval of the difference; empty where one photograph leaves it unknown."""
        if not np.isfinite(self.paired.low):
            return ""
        return f"{signed(self.paired.low, 3)} to {signed(self.paired.high, 3)}"

    @property
    def p(self) -> str:
        """The adjusted p of the mean and that of the ranks."""
        return f"{p_value(self.paired.p_holm)} / {p_value(self.p_ranks)}"


@dataclass(frozen=True)
class ChangeSection:
    """The comparison with a baseline."""

    name: str
    """Name of the earlier run; empty if it has none."""
    commit: str
    """First digits of the baseline's commit; empty if it is not known."""
    cells: int
    """Number of compared cells."""
    rows: tuple[ChangeRow, ...]
    """All cells and subsets: changed ones first, the largest difference first."""
    subsets: tuple[str, ...]
    problems: tuple[str, ...]
    """Cells that were not compared, each with the reason; the one reason if nothing was comparable."""
    notes: tuple[str, ...]
    newly_diverged: tuple[CellView, ...] = ()
    """Cells with an NME above 100 % on some face that had none before."""
    outside: str = ""
    """The largest change on the faces outside its subset, percent points; empty if the subset is all faces."""

    @property
    def reference(self) -> str:
        """The earlier run in words, with its name in quotation marks."""
        return f"earlier run ‘{self.name}’" if self.name else "an earlier run"

    @property
    def changed(self) -> tuple[ChangeRow, ...]:
        """The rows with a significant difference above the margin."""
        return tuple(row for row in self.rows if row.changed)

    @property
    def grid(self) -> tuple[tuple[CellView, tuple[ChangeRow | None, ...]], ...]:
        """All rows, with a line per cell and a column per subset of :attr:`subsets`."""
        keyed: dict[int, dict[str, ChangeRow]] = {}
        cells = {}
        for row in self.rows:
            keyed.setdefault(row.cell.index, {})[row.subset] = row
            cells[row.cell.index] = row.cell
        return tuple(
            (cells[index], tuple(keyed[index].get(subset) for subset in self.subsets)) for index in sorted(keyed)
        )

    def cells_that_are(self, outcome: str) -> tuple[CellView, ...]:
        """The cells that are ``better`` or ``worse`` on some subset."""
        found = {row.cell.index: row.cell for row in self.rows if row.changed == outcome}
        return tuple(found[index] for index in sorted(found))

    @property
    def unchanged(self) -> int:
        """Number of cells without a significant difference above the margin on any subset."""
        return self.cells - len({row.cell.id for row in self.changed})


def section(view: RunView, baseline: Baseline, name: str) -> ChangeSection:
    """Compare a run with a baseline, cell by cell and subset by subset.

    :func:`nmebench.gates.gate` decides which cells are comparable.

    Args:
        view: the run.
        baseline: the earlier run, from :func:`nmebench.gates.make_baseline` or a baseline file.
        name: name of the earlier run; empty if it has none.
    """
    result = gate(view.run, baseline)
    comparable = {row.cell for row in result.rows if row.compared}
    cells = [cell for cell in view.cells if cell.id in comparable]
    before = {cell.id: baseline.face_nme(cell.id) for cell in cells}
    keys = [(cell, subset) for cell in cells for subset, mask in view.masks.items() if mask.any()]
    rows = _rows(view, [(cell, subset, before[cell.id]) for cell, subset in keys])
    return ChangeSection(
        name=display(name, 80),
        commit=display(baseline.made_by.get("commit", ""), 40)[:10],
        cells=len(cells),
        rows=rows,
        subsets=tuple(view.masks),
        problems=_problems([(row.cell, row.reason) for row in result.rows if not row.compared], result.problem),
        notes=tuple(display(note, 300) for note in result.notes),
        newly_diverged=tuple(
            c for c in cells if newly_diverged(before[c.id], view.nme[c.index], baseline.quantum).any()
        ),
        outside=_outside(view, rows[0], before[rows[0].cell.id]) if rows and rows[0].changed else "",
    )


def _outside(view: RunView, row: ChangeRow, before: NDArray[np.float64]) -> str:
    """The mean change of a row's cell on the faces outside the row's subset, percent points; empty without any."""
    others = ~view.masks[row.subset]
    if not others.any():
        return ""
    others = compared_faces(others, before)
    return signed(float((view.nme[row.cell.index][others] - before[others]).mean()), 3)


def _rows(view: RunView, keys: Sequence[tuple[CellView, str, NDArray[np.float64]]]) -> tuple[ChangeRow, ...]:
    clusters = view.run.faces.clusters
    tested = []
    for cell, subset, old in keys:
        mask = compared_faces(view.masks[subset], old)
        a, b = old[mask], view.nme[cell.index][mask]
        # Holm's family is that of the gate: all cells and subsets.
        mean, ranks = paired_with_holm([(a, b)], clusters[mask])[0], rank_test(a, b, clusters[mask])
        tested.append((cell, subset, a, b, mean, ranks))
    p_means, p_ranks = holm([t[4].p for t in tested]), holm([t[5].p for t in tested])
    rows = [
        ChangeRow(
            cell,
            subset,
            float(a.mean()),
            float(b.mean()),
            AdjustedDifference(d.difference, d.low, d.high, d.p, float(p)),
            r,
            float(q),
        )
        for (cell, subset, a, b, d, r), p, q in zip(tested, p_means, p_ranks, strict=True)
    ]
    rows.sort(key=lambda row: (not row.changed, -abs(row.paired.difference) if row.changed else 0))
    return tuple(rows)


def _problems(rows: Sequence[tuple[str, str]], problem: str | None) -> tuple[str, ...]:
    """One line per reason, with the cells that it concerns."""
    if problem:
        return (display(f"nothing was comparable: {problem}", 300),)
    by_reason: dict[str, list[str]] = {}
    for cell, reason in rows:
        by_reason.setdefault(reason, []).append(cell)
    return tuple(
        display(f"{counted(len(cells), 'cell')} not compared ({reason}): {', '.join(cells)}", 600)
        for reason, cells in by_reason.items()
    )
