"""Compares a run with a baseline, face by face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nmebench.errors import InputError
from nmebench.gates.baseline import Baseline, BaselineCell, cell_protocol, faces_sha256
from nmebench.gates.limits import Limit
from nmebench.gates.margin import DEFAULT_MARGIN, Margin
from nmebench.gates.result import GateResult, GateRow, Outcome, SubsetChange
from nmebench.runs.provenance_differences import provenance_differences
from nmebench.runs.run_commit import run_commit
from nmebench.runs.run_store import Run
from nmebench.scoring import bad_maps, cell_settings, setting_differences, subset_masks
from nmebench.scoring.diverged import LARGEST_NME
from nmebench.statistics import PairedDifference, holm, paired_difference

__all__ = ["compared_faces", "gate", "newly_diverged"]

Masks = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class _Compared:
    cell: str
    subset: str
    before: float
    paired: PairedDifference


def gate(
    run: Run,
    baseline: Baseline | None,
    *,
    margin: Margin | float = DEFAULT_MARGIN,
    level: float = 0.95,
    limits: Sequence[Limit | str] = (),
) -> GateResult:
    """Compare a run with a baseline.

    A cell regresses when, on some subset, its mean NME is worse by more than the margin and the paired test is
    significant after Holm's correction over all cells and subsets: S. Holm, "A Simple Sequentially Rejective Multiple
    Test Procedure" (1979). The paired test is :func:`nmebench.statistics.paired_difference`.

    A cell diverged when a face has an NME above 100 % that had none in the baseline. Such a face moves the mean far and
    widens its interval, so the paired test can't see it. For the same reason the test leaves out the faces that have
    one in the baseline, see :func:`compared_faces`, and a note counts them.

    Args:
        run: a scored run.
        baseline: the baseline; None checks the limits alone.
        margin: allowed increase of the NME: percent points, or a :class:`Margin`.
        level: level of the intervals; a difference is significant when its adjusted p is below ``1 - level``.
        limits: absolute limits in addition to those of the baseline.

    Returns:
        The result; nothing is written.

    Raises:
        InputError: the margin or level is out of range, the run isn't scored, a limit names no cell or subset, the
            baseline is damaged, or there is neither a baseline nor a limit.
    """
    allowed = margin if isinstance(margin, Margin) else Margin(margin)
    if not 0 < level < 1:
        raise InputError(f"level {level}: must be between 0 and 1 (0.95 is usual)")
    masks = {name: mask for name, mask in subset_masks(run).items() if mask.any()}
    stored = baseline.limits if baseline else ()
    wanted = [limit if isinstance(limit, Limit) else Limit.parse(limit) for limit in (*stored, *limits)]
    if baseline is None:
        return _limits_alone(run, masks, wanted, allowed, level)
    problem = _changed_faces(run, baseline)
    broken = {} if problem else _broken_limits(run, masks, wanted, baseline)
    rows: dict[str, GateRow] = {}
    compared: list[_Compared] = []
    left_out: list[str] = []
    measured = {cell.id: cell for cell in run.record.cells}
    for cell, entry in baseline.cells.items():
        if cell not in measured:
            rows[cell] = GateRow(cell, "missing", "in the baseline, but not in this run")
            continue
        old, new = baseline.face_nme(cell), run.per_face[cell]
        changes = _changed_protocol(run, cell, entry)
        if not problem:
            changes += _changed_subsets(entry, old, masks, baseline.quantum)
        if problem or changes:
            rows[cell] = GateRow(cell, "changed", problem or "; ".join(changes))
            continue
        for subset, mask in masks.items():
            chosen = compared_faces(mask, old)
            paired = paired_difference(old[chosen], new[chosen], run.faces.clusters[chosen], level=level)
            compared.append(_Compared(cell, subset, float(old[chosen].mean()), paired))
        already = int((old > LARGEST_NME).sum())
        if 0 < already < len(old):
            left_out.append(
                f"{cell}: {_faces(already)} with an NME above {LARGEST_NME:g} % in the baseline, left out of the test"
            )
    adjusted = holm([c.paired.p for c in compared])
    for cell in dict.fromkeys(c.cell for c in compared):
        mine = [(c, float(p)) for c, p in zip(compared, adjusted, strict=True) if c.cell == cell]
        lost = newly_diverged(baseline.face_nme(cell), run.per_face[cell], baseline.quantum)
        rows[cell] = _diverged(_compared_row(mine, allowed, level), int(lost.sum()))
    for cell in measured.keys() - baseline.cells.keys():
        rows[cell] = GateRow(cell, "new", "not in the baseline; add it with --update")
    for cell, reason in broken.items():
        if not rows[cell].failed:
            rows[cell] = replace(rows[cell], outcome="over limit", reason=reason)
    order = [*baseline.cells, *(c for c in measured if c not in baseline.cells)]
    return GateResult(
        tuple(rows[c] for c in order),
        run.record.dataset.name,
        len(run.faces),
        allowed,
        level,
        (*_notes(run, baseline), *left_out),
        problem,
        before=baseline.commit,
        after=run_commit(run.record.provenance),
        limits=tuple(map(str, wanted)),
    )


def compared_faces(mask: NDArray[np.bool_], old: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the faces of a subset that the paired test compares: those without an NME above 100 % in the baseline.

    One such face outweighs all others, so it would hide a regression of them. If all faces of the subset have one, all
    are compared.

    Args:
        mask: the subset, bool ``[N]``.
        old: NME of the baseline's faces, percent ``[N]``.

    Returns:
        bool ``[N]``.

    Example:
        >>> compared_faces(np.array([True, True, False]), np.array([4.0, 1e6, 4.0])).tolist()
        [True, False, False]
    """
    chosen: NDArray[np.bool_] = mask & ~(old > LARGEST_NME)
    return chosen if chosen.any() else mask


def newly_diverged(old: NDArray[np.float64], new: NDArray[np.float64], quantum: float) -> NDArray[np.bool_]:
    """Return the faces that have an NME above 100 % and had none in the baseline.

    Args:
        old: NME of the baseline's faces, percent ``[N]``, rounded to ``quantum``.
        new: the same faces now.
        quantum: step of the rounding, so that an equal NME just above 100 % isn't new.

    Returns:
        bool ``[N]``.

    Example:
        >>> newly_diverged(np.array([4.0, 100.0]), np.array([101.0, 100.00004]), 1e-4).tolist()
        [True, False]
    """
    found: NDArray[np.bool_] = (new > LARGEST_NME + quantum) & ~(old > LARGEST_NME)
    return found


def _faces(number: int) -> str:
    return f"{number} face{'' if number == 1 else 's'}"


def _limits_alone(run: Run, masks: Masks, limits: Sequence[Limit], margin: Margin, level: float) -> GateResult:
    """The result of a gate without a baseline: one row for every cell that a limit names."""
    if not limits:
        raise InputError("neither a baseline nor a limit: give --baseline FILE, --limit 'nme<=4.0' or both")
    broken = _broken_limits(run, masks, limits, None)
    rows = []
    for cell in run.record.cells:
        mine = [limit for limit in limits if limit.applies(cell.id)]
        if cell.id in broken:
            rows.append(GateRow(cell.id, "over limit", broken[cell.id]))
        elif mine:
            values = (limit.measure(run.per_face[cell.id][masks[limit.subset]]) for limit in mine)
            rows.append(GateRow(cell.id, "passed", "; ".join(values)))
    return GateResult(
        tuple(rows),
        run.record.dataset.name,
        len(run.faces),
        margin,
        level,
        tuple(_notes(run, None)),
        after=run_commit(run.record.provenance),
        limits=tuple(map(str, limits)),
        has_baseline=False,
    )


def _changed_protocol(run: Run, cell: str, stored: BaselineCell) -> list[str]:
    """Describe the settings in which a cell differs from the baseline's."""
    record = next(c for c in run.record.cells if c.id == cell)
    changes = [
        f"{name} was {getattr(stored, name)}, is {value}"
        for name, value in cell_protocol(run, record).items()
        if getattr(stored, name) != value
    ]
    settings = setting_differences(stored.settings or {}, cell_settings(run, record))
    return changes + [f"{name} was {before}, is {after}" for name, (before, after) in settings.items()]


def _changed_subsets(stored: BaselineCell, old: NDArray[np.float64], masks: Masks, quantum: float) -> list[str]:
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


def _notes(run: Run, baseline: Baseline | None) -> Iterator[str]:
    commit = run_commit(run.record.provenance)
    for side, found in (("baseline", baseline.commit if baseline else None), ("run", commit)):
        if found is not None and found.dirty:
            yield f"the {side} was measured with uncommitted changes, so its commit doesn't describe it"
    if baseline is not None and baseline.provenance is not None:
        for difference in provenance_differences(baseline.provenance, run.record.provenance):
            yield f"baseline / run: {difference}"
    for cell in run.record.cells:
        for kind in ("invalid", "empty"):
            if count := bad_maps(cell, kind):
                yield f"{cell.id}: {count} heatmaps are {kind}"
    if baseline and any(cell.settings is None for cell in baseline.cells.values()):
        yield (
            "the baseline was made by an older nmebench and doesn't record box padding, colour, options and precision, "
            "so these aren't compared"
        )


def _compared_row(compared: Sequence[tuple[_Compared, float]], margin: Margin, level: float) -> GateRow:
    """The row of a cell that was compared on every subset: the worst regressed subset decides, else all faces."""
    worse = [(c, p) for c, p in compared if c.paired.difference > margin.points(c.before) and p < 1 - level]
    decided, p = max(worse, key=lambda item: item[0].paired.difference) if worse else compared[0]
    difference, allowed = decided.paired.difference, margin.points(decided.before)
    if worse:
        shown_margin = f"{margin.value:g}" if not margin.relative else f"{margin} ({allowed:.4f} points)"
        reason = f"NME of {decided.subset} is worse by {difference:.4f} points, over the margin of {shown_margin}"
        outcome: Outcome = "regressed"
    elif difference < -allowed and p < 1 - level:
        reason, outcome = f"better by {-difference:.4f} points; make it the baseline with --update", "passed"
    elif abs(difference) <= allowed:
        reason, outcome = "unchanged within the margin", "passed"
    else:
        reason, outcome = f"differs by {difference:+.4f} points, which is not significant", "passed"
    changes = tuple(_change(c, p) for c, p in compared)
    shown = next(change for change in changes if change.subset == decided.subset)
    return GateRow(
        decided.cell,
        outcome,
        reason,
        shown.subset,
        shown.before,
        shown.after,
        shown.difference,
        shown.low,
        shown.high,
        shown.p,
        changes,
    )


def _change(compared: _Compared, p: float) -> SubsetChange:
    paired = compared.paired
    return SubsetChange(
        compared.subset,
        compared.before,
        compared.before + paired.difference,
        paired.difference,
        None if np.isnan(paired.low) else paired.low,
        None if np.isnan(paired.high) else paired.high,
        p,
    )


def _diverged(row: GateRow, faces: int) -> GateRow:
    """Fail a cell that diverged newly on this number of faces."""
    if not faces or row.failed:
        return row
    reason = f"diverged on {_faces(faces)}: an NME above {LARGEST_NME:g} %, which the baseline doesn't have there"
    return replace(row, outcome="diverged", reason=reason)


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


def _broken_limits(run: Run, masks: Masks, limits: Sequence[Limit], baseline: Baseline | None) -> dict[str, str]:
    """Cells that break a limit, with a description."""
    broken: dict[str, list[str]] = {}
    measured = [cell.id for cell in run.record.cells]
    known = list(dict.fromkeys([*measured, *(baseline.cells if baseline else ())]))
    for limit in limits:
        limit.check(known, masks)
        for cell in measured:
            violation = limit.violation(run.per_face[cell][masks[limit.subset]]) if limit.applies(cell) else None
            if violation:
                broken.setdefault(cell, []).append(violation)
    return {cell: "; ".join(violations) for cell, violations in broken.items()}
