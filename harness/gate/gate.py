"""Compare a run with a baseline, face by face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nmebench.errors import InputError
from nmebench.gate.baseline import Baseline, cell_protocol, faces_sha256
from nmebench.gate.limits import Limit
from nmebench.runs.run_store import Run
from nmebench.scoring import subset_masks
from nmebench.statistics import PairedDifference, holm, paired_difference

__all__ = ["DEFAULT_MARGIN", "GateResult", "GateRow", "Outcome", "gate"]

#: A mean NME that is worse by no more than this (percent points) passes, however sure the difference is. The last
#: decimal that papers print; float noise between processors and batch sizes is below a tenth of it.
DEFAULT_MARGIN = 0.01

Outcome = Literal["passed", "regressed", "over limit", "missing", "changed", "new"]


@dataclass(frozen=True)
class GateRow:
    """What became of one cell. NME in percent, differences in percent points, p adjusted over all comparisons."""

    cell: str
    outcome: Outcome
    reason: str
    subset: str = "test"
    """Where the difference is: the subset that decided."""
    before: float | None = None
    after: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None

    @property
    def failed(self) -> bool:
        """Whether the cell fails the gate. A new cell passes: nothing is known to compare it with."""
        return self.outcome not in ("passed", "new")

    @property
    def compared(self) -> bool:
        """Whether the cell was compared face by face."""
        return self.difference is not None


@dataclass(frozen=True)
class GateResult:
    """The result: a row for every cell of the baseline and of the run."""

    rows: tuple[GateRow, ...]
    dataset: str
    faces: int
    margin: float
    level: float
    problem: str | None = None
    """Why no cell can be compared, such as other faces than the baseline's."""

    @property
    def nothing_comparable(self) -> bool:
        """Whether not a single cell was compared: a gate that passed then would be none."""
        return not any(row.compared for row in self.rows)

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 3 nothing was comparable."""
        if self.nothing_comparable:
            return 3
        return int(any(row.failed for row in self.rows))

    @property
    def passed(self) -> bool:
        """Whether the gate passed."""
        return self.exit_code == 0

    @property
    def summary(self) -> str:
        """The result in one line."""
        if self.nothing_comparable:
            return f"gate failed: nothing was comparable ({self.problem or 'no cell of the baseline was measured'})"
        compared = sum(row.compared for row in self.rows)
        failed = [row.cell for row in self.rows if row.failed]
        over = f"{compared} cells compared on {self.faces} faces of {self.dataset}, margin {self.margin:g} points"
        return f"gate failed: {', '.join(failed)} ({over})" if failed else f"gate passed: {over}"


@dataclass(frozen=True)
class _Compared:
    cell: str
    subset: str
    before: float
    paired: PairedDifference


def gate(
    run: Run,
    baseline: Baseline,
    *,
    margin: float = DEFAULT_MARGIN,
    limits: Sequence[Limit | str] = (),
    level: float = 0.95,
) -> GateResult:
    """Judge a run against a baseline.

    A cell fails when on any subset its mean NME is worse by more than the margin and the paired test says, after Holm's
    correction over all cells and subsets, that this is no chance; when it passes an absolute limit; when the run
    doesn't have it; or when its protocol is another. Other faces than the baseline's fail every cell.

    Args:
        run: a scored run.
        baseline: what to compare with.
        margin: percent points of NME.
        limits: absolute limits, besides those of the baseline.
        level: a difference is significant when its adjusted p is under ``1 - level``.

    Raises:
        InputError: margin or level make no sense, the run isn't scored, a limit names no cell or subset, the baseline
            is damaged.
    """
    if not (margin >= 0 and np.isfinite(margin)):
        raise InputError(f"margin {margin}: must be a number of percent points, 0 or more (0.01 is usual)")
    if not 0 < level < 1:
        raise InputError(f"level {level}: must lie between 0 and 1 (0.95 is usual)")
    masks = {name: mask for name, mask in subset_masks(run).items() if mask.any()}
    problem = _other_faces(run, baseline)
    wanted = [limit if isinstance(limit, Limit) else Limit.parse(limit) for limit in (*baseline.limits, *limits)]
    broken = {} if problem else _broken_limits(run, masks, wanted, baseline)
    compared: list[_Compared] = []
    rows: dict[str, GateRow] = {}
    here = {cell.id: cell for cell in run.record.cells}
    for cell, stored in baseline.cells.items():
        if cell not in here:
            rows[cell] = GateRow(cell, "missing", "in the baseline, but not in this run")
            continue
        now = cell_protocol(run, here[cell])
        other = {name: (getattr(stored, name), value) for name, value in now.items() if getattr(stored, name) != value}
        if problem or other:
            words = problem or "; ".join(f"{n} was {a}, is {b}" for n, (a, b) in other.items())
            rows[cell] = GateRow(cell, "changed", words)
            continue
        before, after = baseline.face_nme(cell), run.per_face[cell]
        for subset, mask in masks.items():
            paired = paired_difference(before[mask], after[mask], run.faces.clusters[mask], level=level)
            compared.append(_Compared(cell, subset, float(before[mask].mean()), paired))
    adjusted = holm([c.paired.p for c in compared])
    for cell in dict.fromkeys(c.cell for c in compared):
        mine = [(c, float(p)) for c, p in zip(compared, adjusted, strict=True) if c.cell == cell]
        rows[cell] = _judged(mine, margin, level)
    for cell in here.keys() - baseline.cells.keys():
        rows[cell] = GateRow(cell, "new", "not in the baseline; add it with --update")
    for cell, reason in broken.items():
        row = rows[cell]
        if not row.failed:
            rows[cell] = GateRow(**{**row.__dict__, "outcome": "over limit", "reason": reason})
    order = [*baseline.cells, *(c for c in here if c not in baseline.cells)]
    return GateResult(tuple(rows[c] for c in order), run.record.dataset.name, len(run.faces), margin, level, problem)


def _judged(compared: Sequence[tuple[_Compared, float]], margin: float, level: float) -> GateRow:
    """The row of a cell that was compared on every subset; shows the subset that decided, else the whole."""
    worse = [(c, p) for c, p in compared if c.paired.difference > margin and p < 1 - level]
    decided, p = max(worse, key=lambda item: item[0].paired.difference) if worse else compared[0]
    paired = decided.paired
    if worse:
        reason = f"NME of {decided.subset} is worse by {paired.difference:.4f} points, over the margin of {margin:g}"
        outcome: Outcome = "regressed"
    elif paired.difference < -margin and p < 1 - level:
        reason, outcome = f"better by {-paired.difference:.4f} points; make it the baseline with --update", "passed"
    elif paired.difference == 0 or abs(paired.difference) < margin:
        reason, outcome = "unchanged within the margin", "passed"
    else:
        reason, outcome = f"differs by {paired.difference:+.4f} points, which may be chance", "passed"
    return GateRow(
        decided.cell,
        outcome,
        reason,
        decided.subset,
        decided.before,
        decided.before + paired.difference,
        paired.difference,
        None if np.isnan(paired.low) else paired.low,
        None if np.isnan(paired.high) else paired.high,
        p,
    )


def _other_faces(run: Run, baseline: Baseline) -> str | None:
    """Why the run's faces aren't the baseline's, or None."""
    record = run.record
    pairs = {
        "dataset": (baseline.dataset, record.dataset.name),
        "landmark scheme": (baseline.scheme, record.dataset.scheme),
        "number of faces": (baseline.faces, len(run.faces)),
        "normaliser": (baseline.normaliser, record.normaliser),
    }
    for name, (before, now) in pairs.items():
        if before != now:
            return f"the {name} was {before}, is {now}"
    if baseline.faces_sha256 != faces_sha256(run.faces):
        return "the faces or their ground truth are others than the baseline's"
    return None


def _broken_limits(
    run: Run, masks: Mapping[str, NDArray[np.bool_]], limits: Sequence[Limit], baseline: Baseline
) -> dict[str, str]:
    """Cells that pass a limit, and which."""
    broken: dict[str, list[str]] = {}
    here = [cell.id for cell in run.record.cells]
    for limit in limits:
        known = dict.fromkeys([*here, *baseline.cells])
        if not any(limit.applies(cell) for cell in known):
            raise InputError(f"limit {limit}: matches no cell; there are: {', '.join(known)}")
        if limit.subset not in masks:
            raise InputError(f"limit {limit}: no subset {limit.subset!r} in the run, which has: {', '.join(masks)}")
        for cell in here:
            words = limit.broken(run.per_face[cell][masks[limit.subset]]) if limit.applies(cell) else None
            if words:
                broken.setdefault(cell, []).append(words)
    return {cell: "; ".join(words) for cell, words in broken.items()}
