"""Compares a run with a baseline, face by face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nmebench.errors import InputError
from nmebench.gate.baseline import Baseline, BaselineCell, cell_protocol, faces_sha256
from nmebench.gate.limits import Limit
from nmebench.runs.run_store import Run
from nmebench.scoring import bad_maps, cell_settings, setting_differences, subset_masks
from nmebench.statistics import PairedDifference, holm, paired_difference

__all__ = ["DEFAULT_MARGIN", "GateResult", "GateRow", "Outcome", "gate"]

#: A mean NME that is worse by at most this much (percent points) passes, even if the difference is significant. It is
#: the last decimal that papers print; float noise between processors and batch sizes is less than a tenth of it.
DEFAULT_MARGIN = 0.01

Outcome = Literal["passed", "regressed", "over limit", "missing", "changed", "new"]


@dataclass(frozen=True)
class GateRow:
    """The result for one cell: NME in percent, differences in percent points, p adjusted over all comparisons."""

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

    @property
    def failed(self) -> bool:
        """True when the cell fails the gate. A new cell passes, because there is nothing to compare it with."""
        return self.outcome not in ("passed", "new")

    @property
    def compared(self) -> bool:
        """True when the cell was compared face by face."""
        return self.difference is not None


@dataclass(frozen=True)
class GateResult:
    """The result of a gate, with one row for every cell of the baseline or the run."""

    rows: tuple[GateRow, ...]
    dataset: str
    faces: int
    margin: float
    level: float
    notes: tuple[str, ...] = ()
    """Facts that don't decide the result: heatmaps without a maximum, settings that an old baseline doesn't record."""
    problem: str | None = None
    """The reason why no cell can be compared, for example because the run has other faces; None if there is none."""

    @property
    def nothing_comparable(self) -> bool:
        """True when no cell was compared. The gate fails then, because it tested nothing."""
        return not any(row.compared for row in self.rows)

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
    def summary(self) -> str:
        """The result in one line."""
        if self.nothing_comparable:
            return f"gate failed: nothing was comparable ({self.problem or 'no cell of the baseline was measured'})"
        compared = sum(row.compared for row in self.rows)
        failed = [row.cell for row in self.rows if row.failed]
        scope = f"{compared} cells compared on {self.faces} faces of {self.dataset}, margin {self.margin:g} points"
        return f"gate failed: {', '.join(failed)} ({scope})" if failed else f"gate passed: {scope}"


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
    """Compare a run with a baseline.

    A cell fails when

    * on any subset, its mean NME is worse by more than the margin and the paired test is significant after Holm's
      correction over all cells and subsets,
    * it breaks an absolute limit,
    * the run doesn't have it,
    * its protocol differs from the baseline's, or
    * a subset of the baseline is missing in the run or holds other faces.

    Every cell fails when the run's faces differ from the baseline's.

    Args:
        run: a scored run.
        baseline: the baseline, see :func:`make_baseline`.
        margin: percent points of NME.
        limits: absolute limits in addition to those of the baseline.
        level: a difference is significant when its adjusted p is below ``1 - level``.

    Returns:
        The result; nothing is written.

    Raises:
        InputError: the margin or level is out of range, the run isn't scored, a limit names no cell or subset, or the
            baseline is damaged.
    """
    if not (margin >= 0 and np.isfinite(margin)):
        raise InputError(f"margin {margin}: must be a number of percent points, 0 or more (0.01 is usual)")
    if not 0 < level < 1:
        raise InputError(f"level {level}: must be between 0 and 1 (0.95 is usual)")
    masks = {name: mask for name, mask in subset_masks(run).items() if mask.any()}
    problem = _changed_faces(run, baseline)
    wanted = [limit if isinstance(limit, Limit) else Limit.parse(limit) for limit in (*baseline.limits, *limits)]
    broken = {} if problem else _broken_limits(run, masks, wanted, baseline)
    compared: list[_Compared] = []
    rows: dict[str, GateRow] = {}
    measured = {cell.id: cell for cell in run.record.cells}
    for cell, stored in baseline.cells.items():
        if cell not in measured:
            rows[cell] = GateRow(cell, "missing", "in the baseline, but not in this run")
            continue
        now = cell_protocol(run, measured[cell])
        changes = [
            f"{n} was {getattr(stored, n)}, is {value}" for n, value in now.items() if getattr(stored, n) != value
        ]
        settings = setting_differences(stored.settings or {}, cell_settings(run, measured[cell]))
        changes += [f"{name} was {before}, is {value}" for name, (before, value) in settings.items()]
        old, new = baseline.face_nme(cell), run.per_face[cell]
        if not problem:
            changes += _changed_subsets(stored, old, masks, baseline.quantum)
        if problem or changes:
            rows[cell] = GateRow(cell, "changed", problem or "; ".join(changes))
            continue
        for subset, mask in masks.items():
            paired = paired_difference(old[mask], new[mask], run.faces.clusters[mask], level=level)
            compared.append(_Compared(cell, subset, float(old[mask].mean()), paired))
    adjusted = holm([c.paired.p for c in compared])
    for cell in dict.fromkeys(c.cell for c in compared):
        mine = [(c, float(p)) for c, p in zip(compared, adjusted, strict=True) if c.cell == cell]
        rows[cell] = _compared_row(mine, margin, level)
    for cell in measured.keys() - baseline.cells.keys():
        rows[cell] = GateRow(cell, "new", "not in the baseline; add it with --update")
    for cell, reason in broken.items():
        row = rows[cell]
        if not row.failed:
            rows[cell] = GateRow(**{**row.__dict__, "outcome": "over limit", "reason": reason})
    order = [*baseline.cells, *(c for c in measured if c not in baseline.cells)]
    return GateResult(
        tuple(rows[c] for c in order),
        run.record.dataset.name,
        len(run.faces),
        margin,
        level,
        tuple(_notes(run, baseline)),
        problem,
    )


def _changed_subsets(
    stored: BaselineCell, old: NDArray[np.float64], masks: Mapping[str, NDArray[np.bool_]], quantum: float
) -> list[str]:
    """Describe the subsets of the baseline that the run lacks or defines by other faces.

    The baseline has no masks, but the mean NME of each subset, which the baseline's faces must give again.
    """
    changes = []
    for subset, mean in stored.nme.items():
        if subset not in masks:
            changes.append(f"the run has no face in the subset {subset}, which the baseline has")
        elif abs(float(old[masks[subset]].mean()) - mean) > quantum:
            changes.append(f"the subset {subset} holds other faces than in the baseline")
    return changes


def _notes(run: Run, baseline: Baseline) -> Iterator[str]:
    for cell in run.record.cells:
        for kind in ("invalid", "empty"):
            if count := bad_maps(cell, kind):
                yield f"{cell.id}: {count} heatmaps are {kind}"
    if any(cell.settings is None for cell in baseline.cells.values()):
        yield (
            "the baseline was made by an older nmebench and doesn't record box padding, colour, options and precision, "
            "so these aren't compared"
        )


def _compared_row(compared: Sequence[tuple[_Compared, float]], margin: float, level: float) -> GateRow:
    """The row of a cell that was compared on every subset: shows the worst regressed subset, else all faces."""
    worse = [(c, p) for c, p in compared if c.paired.difference > margin and p < 1 - level]
    decided, p = max(worse, key=lambda item: item[0].paired.difference) if worse else compared[0]
    paired = decided.paired
    if worse:
        reason = f"NME of {decided.subset} is worse by {paired.difference:.4f} points, over the margin of {margin:g}"
        outcome: Outcome = "regressed"
    elif paired.difference < -margin and p < 1 - level:
        reason, outcome = f"better by {-paired.difference:.4f} points; make it the baseline with --update", "passed"
    elif abs(paired.difference) <= margin:
        reason, outcome = "unchanged within the margin", "passed"
    else:
        reason, outcome = f"differs by {paired.difference:+.4f} points, which is not significant", "passed"
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


def _changed_faces(run: Run, baseline: Baseline) -> str | None:
    """The difference between the faces of the run and the baseline; None if they are the same."""
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
        return "the faces or their ground truth differ from the baseline's"
    return None


def _broken_limits(
    run: Run, masks: Mapping[str, NDArray[np.bool_]], limits: Sequence[Limit], baseline: Baseline
) -> dict[str, str]:
    """Cells that break a limit, with a description."""
    broken: dict[str, list[str]] = {}
    measured = [cell.id for cell in run.record.cells]
    for limit in limits:
        known = dict.fromkeys([*measured, *baseline.cells])
        if not any(limit.applies(cell) for cell in known):
            raise InputError(f"limit {limit}: matches no cell; cells: {', '.join(known)}")
        if limit.subset not in masks:
            raise InputError(f"limit {limit}: no subset {limit.subset!r} in the run, which has: {', '.join(masks)}")
        for cell in measured:
            violation = limit.violation(run.per_face[cell][masks[limit.subset]]) if limit.applies(cell) else None
            if violation:
                broken.setdefault(cell, []).append(violation)
    return {cell: "; ".join(violations) for cell, violations in broken.items()}
