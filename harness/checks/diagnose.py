"""Searches for the causes of a deviation: tests the known causes and sorts them, most likely first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nmebench import metrics
from nmebench.checks.causes import CAUSES, Cause, DeviatingCell, Overrides, Rescore
from nmebench.checks.verdict import CauseFinding, Verdict, VerdictRow
from nmebench.errors import InputError
from nmebench.runs.run_record import CellRecord
from nmebench.runs.run_store import Run
from nmebench.scoring import subset_masks

__all__ = ["Rerun", "diagnose", "explain"]

Rerun = Callable[[CellRecord, Overrides], Mapping[str, float]]
"""Measures a cell again with some fields of the sweep's configuration replaced; returns NME by subset, percent."""

#: An alternative that removes this share of the deviation ends the search, because each further rerun takes minutes.
FULL_EXPLANATION = 0.9
#: An alternative that removes less than this share of the deviation is ruled out.
PARTIAL_EXPLANATION = 0.5


def explain(run: Run, verdict: Verdict, rerun: Rerun | None = None) -> Verdict:
    """Return the verdict with the likely causes of every deviation.

    Args:
        run: the run that was checked.
        verdict: the result of :func:`nmebench.checks.check` for this run.
        rerun: measures a cell with other settings, see :func:`nmebench.checks.make_rerun`. Without it, only causes that
            can be tested from the stored landmarks and cells are tested.

    Returns:
        A new verdict with the same rows. Nothing is written.
    """
    cells = dict.fromkeys(row.cell for row in verdict.rows if row.status == "deviates" and row.cell)
    found = {cell: tuple(diagnose(run, rerun, verdict=verdict, cell=cell)) for cell in cells}
    rows = tuple(
        row.model_copy(update={"causes": found[row.cell]}) if row.status == "deviates" and row.cell else row
        for row in verdict.rows
    )
    return Verdict(rows=rows)


def diagnose(
    run: Run,
    rerun: Rerun | None = None,
    *,
    verdict: Verdict,
    cell: str | None = None,
    causes: Sequence[Cause] = CAUSES,
) -> list[CauseFinding]:
    """Return the likely causes of a cell's deviation, most likely first.

    The order is: causes whose alternative removes at least half of the deviation, by the share that it removes; then
    causes that couldn't be tested, starting with those that the run's record points to; then causes that a test ruled
    out.

    Args:
        run: the run that was checked.
        rerun: measures a cell with other settings; without it, no cause is tested by a new sweep.
        verdict: the result of the check.
        cell: id of the cell; by default the first one that deviates.
        causes: the causes to consider, likely ones first.

    Returns:
        One finding per cause that can apply to the cell; empty when no cell deviates.
    """
    if cell is None:
        cell = next((row.cell for row in verdict.rows if row.status == "deviates" and row.cell), None)
    if cell is None:
        return []
    rows = [r for r in verdict.rows if r.cell == cell and r.metric == "nme" and r.measured is not None]
    record = run.cell(cell)
    deviating = DeviatingCell(run, record, run.model(record.model))
    causes = [cause for cause in causes if cause.applies(deviating)]
    suspicions = {cause.name: cause.suspect(deviating) for cause in causes}
    findings: dict[str, CauseFinding] = {}
    search = _Search(run, deviating, rows, rerun)
    # Causes that the record points to first, then those with the fewest reruns: a full explanation ends the search.
    for cause in sorted(causes, key=lambda c: (suspicions[c.name] is None, len(c.reruns(deviating)))):
        findings[cause.name] = search.test(cause, suspicions[cause.name])
    order = {cause.name: number for number, cause in enumerate(causes)}

    def rank(finding: CauseFinding) -> tuple[int, float, bool, int]:
        share = finding.explained
        group = 1 if share is None else 0 if share >= PARTIAL_EXPLANATION else 2
        return group, -(share or 0.0) if group == 0 else 0.0, suspicions[finding.cause] is None, order[finding.cause]

    return sorted(findings.values(), key=rank)


class _Search:
    """Tests causes one by one until one explains the deviation."""

    def __init__(self, run: Run, deviating: DeviatingCell, rows: Sequence[VerdictRow], rerun: Rerun | None) -> None:
        self._run = run
        self._deviating = deviating
        self._rows = rows
        self._rerun = rerun
        self._masks = subset_masks(run)
        self._explanation: str | None = None
        """Name of the cause that explains the deviation fully, once found; it stops further reruns."""

    def test(self, cause: Cause, suspicion: str | None) -> CauseFinding:
        """Test every alternative of a cause and return the one that explains most of the deviation."""
        results: list[CauseFinding] = []
        failed = ""
        for rescore in cause.rescores(self._deviating) if self._rows else ():
            results.append(self._finding(cause, rescore.label, {}, self._rescored(rescore)))
        for overrides in cause.reruns(self._deviating) if self._rows else ():
            label = _label(overrides)
            nme = self._from_another_cell(overrides)
            if nme is None and self._rerun is not None and self._explanation is None:
                try:
                    nme = dict(self._rerun(self._deviating.cell, overrides))
                except InputError as error:  # for example, these annotations have no rectangles
                    failed = f" {label} can't be measured: {error}."
            if nme is not None:
                results.append(self._finding(cause, label, overrides, nme))
                if results[-1].explains and (results[-1].explained or 0) >= FULL_EXPLANATION:
                    break
        if results:
            best = max(results, key=lambda finding: finding.explained or 0.0)
            if best.explains and (best.explained or 0) >= FULL_EXPLANATION and best.overrides:
                self._explanation = cause.name
            return best.model_copy(update={"detail": _join(cause.description, suspicion, best.detail + failed)})
        testable = bool(cause.reruns(self._deviating)) and bool(self._rows)
        if not testable:
            why = "" if suspicion else "Not tested."
        elif self._explanation is not None:
            why = f"Not tested, because {self._explanation} explains the deviation."
        else:
            why = failed.strip() or "Not tested: the test needs a rerun."
        return CauseFinding(cause=cause.name, detail=_join(cause.description, suspicion, why))

    def _rescored(self, rescore: Rescore) -> dict[str, float]:
        truth = self._run.faces.landmarks
        errors = metrics.point_errors(rescore.landmarks, truth)
        return self._by_subset(metrics.nme(errors, rescore.normaliser, metrics.labelled(truth)))

    def _by_subset(self, nme: np.ndarray) -> dict[str, float]:
        return {name: float(nme[mask].mean()) for name, mask in self._masks.items() if mask.any()}

    def _from_another_cell(self, overrides: Overrides) -> dict[str, float] | None:
        """NME by subset of a stored cell that differs from this one in these settings only; None if there is none."""
        labels = {"decoders": "decoder", "flip": "flip", "boxes": "box"}
        if not set(overrides) <= set(labels):
            return None
        wanted = self._deviating.cell.model_copy(update={labels[k]: v[0] for k, v in overrides.items()})
        for cell in self._run.record.cells:
            if (cell.model, cell.decoder, cell.flip, cell.box) == (
                wanted.model,
                wanted.decoder,
                wanted.flip,
                wanted.box,
            ):
                return self._by_subset(self._run.per_face[cell.id])
        return None

    def _finding(self, cause: Cause, label: str, overrides: Overrides, nme: Mapping[str, float]) -> CauseFinding:
        """Measure how much of the deviation an alternative removes, over the subsets that were compared."""
        rows = [row for row in self._rows if row.subset in nme]
        now = np.array([row.measured for row in rows], np.float64)
        alternative = np.array([nme[row.subset] for row in rows])
        reported = np.array([row.reported for row in rows])
        before = float(np.sqrt(np.mean((now - reported) ** 2))) if rows else 0.0
        after = float(np.sqrt(np.mean((alternative - reported) ** 2))) if rows else 0.0
        explained = 1 - after / before if before > 0 else 0.0
        explains = bool(rows) and all(
            row.low is not None and row.high is not None and row.low <= value < row.high
            for row, value in zip(rows, alternative, strict=True)
        )
        first = next((row for row in rows if row.subset == "test"), rows[0] if rows else None)
        example = "" if first is None else f" {first.subset} {nme[first.subset]:.3f} (reported {first.reported_text})"
        if explains:
            detail = f"With {label} every compared number is reproduced:{example}."
        elif explained >= PARTIAL_EXPLANATION:
            detail = f"With {label} {100 * explained:.0f} % of the deviation disappears:{example}."
        else:
            detail = f"Ruled out: the deviation stays with {label}:{example}."
        return CauseFinding(
            cause=cause.name,
            detail=detail,
            explains=explains,
            explained=explained,
            overrides=dict(overrides),
            nme={row.subset: nme[row.subset] for row in rows},
        )


def _label(overrides: Overrides) -> str:
    """The text for an alternative, such as ``box_padding 1.25``."""
    parts = []
    for name, value in overrides.items():
        if isinstance(value, Mapping):
            parts.append(", ".join(f"{key} {item}" for key, item in value.items()))
        else:
            parts.append(f"{name} {value[0] if isinstance(value, tuple) else value}")
    return ", ".join(parts)


def _join(description: str, suspicion: str | None, result: str) -> str:
    note = f" {suspicion[0].upper()}{suspicion[1:]}." if suspicion else ""
    return f"{description}{note} {result}".strip()
