"""Why a number deviates: the known causes, each tested where that is possible, likeliest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nmebench import metrics
from nmebench.check.causes import CAUSES, Cause, Overrides, Rescore, Situation
from nmebench.check.verdict import CauseFinding, Verdict, VerdictRow
from nmebench.runs.run_store import CellRecord, Run
from nmebench.scoring import subset_masks

__all__ = ["Rerun", "diagnose", "explain"]

Rerun = Callable[[CellRecord, Overrides], Mapping[str, float]]
"""Measures a cell's network again with some fields of the sweep's configuration replaced; NME by subset, percent."""

#: An alternative that takes away so much of the deviation ends the search: further reruns cost minutes each.
ENOUGH = 0.9
#: Below this share an alternative is no explanation.
PARTLY = 0.5


def explain(run: Run, verdict: Verdict, rerun: Rerun | None = None) -> Verdict:
    """The verdict with the likely causes of every deviation; stored as ``verdict.json``, and returned.

    Args:
        run: the run that was checked.
        verdict: what :func:`nmebench.check.check` found.
        rerun: measures with an alternative; without it only what the run stored is tested.
    """
    cells = dict.fromkeys(row.cell for row in verdict.rows if row.status == "deviates" and row.cell)
    found = {cell: tuple(diagnose(run, rerun, verdict=verdict, cell=cell)) for cell in cells}
    rows = tuple(
        row.model_copy(update={"causes": found[row.cell]}) if row.status == "deviates" and row.cell else row
        for row in verdict.rows
    )
    explained = Verdict(rows=rows)
    run.write_json("verdict.json", explained.model_dump(mode="json"))
    return explained


def diagnose(
    run: Run,
    rerun: Rerun | None = None,
    *,
    verdict: Verdict,
    cell: str | None = None,
    causes: Sequence[Cause] = CAUSES,
) -> list[CauseFinding]:
    """Likely causes of a cell's deviation, likeliest first.

    First come the causes whose alternative takes away half of the deviation or more, by how much they do; then those
    that couldn't be tested, what the run's record points at before the rest; last those that the test ruled out.

    Args:
        run: the run that was checked.
        rerun: measures with an alternative; without it only what the run stored is tested.
        verdict: what the check found.
        cell: the cell; the first that deviates by default.
        causes: the causes to consider, likely ones first.

    Returns:
        A finding for every cause that applies; empty when no cell deviates.
    """
    if cell is None:
        cell = next((row.cell for row in verdict.rows if row.status == "deviates" and row.cell), None)
    if cell is None:
        return []
    rows = [r for r in verdict.rows if r.cell == cell and r.metric == "nme" and r.measured is not None]
    record = run.cell(cell)
    situation = Situation(run, record, run.model(record.model))
    suspicions = {cause.name: cause.suspect(situation) for cause in causes}
    findings: dict[str, CauseFinding] = {}
    search = _Search(run, situation, rows, rerun)
    # What the record points at first, then what takes the fewest reruns: the first full explanation ends the search.
    for cause in sorted(causes, key=lambda c: (suspicions[c.name] is None, len(c.reruns(situation)))):
        findings[cause.name] = search.test(cause, suspicions[cause.name])
    order = {cause.name: place for place, cause in enumerate(causes)}

    def likeliest(finding: CauseFinding) -> tuple[int, float, bool, int]:
        share = finding.explained
        place = 1 if share is None else 0 if share >= PARTLY else 2
        return place, -(share or 0.0) if place == 0 else 0.0, suspicions[finding.cause] is None, order[finding.cause]

    return sorted(findings.values(), key=likeliest)


class _Search:
    """Tests causes one by one and remembers when one explains the deviation."""

    def __init__(self, run: Run, situation: Situation, rows: Sequence[VerdictRow], rerun: Rerun | None) -> None:
        self._run = run
        self._situation = situation
        self._rows = rows
        self._rerun = rerun
        self._masks = subset_masks(run)
        self._found: str | None = None

    def test(self, cause: Cause, suspicion: str | None) -> CauseFinding:
        """Test every alternative of a cause and keep the one that explains most."""
        results: list[CauseFinding] = []
        failed = ""
        for rescore in cause.rescores(self._situation) if self._rows else ():
            results.append(self._judge(cause, rescore.label, {}, self._rescored(rescore)))
        for overrides in cause.reruns(self._situation) if self._rows else ():
            label = _words(overrides)
            nme = self._stored(overrides)
            if nme is None and self._rerun is not None and self._found is None:
                try:
                    nme = dict(self._rerun(self._situation.cell, overrides))
                except ValueError as error:  # the errors of this project: an alternative that this data can't give
                    failed = f" {label} couldn't be measured: {error}."
            if nme is not None:
                results.append(self._judge(cause, label, overrides, nme))
                if results[-1].explains and (results[-1].explained or 0) >= ENOUGH:
                    break
        if results:
            best = max(results, key=lambda finding: finding.explained or 0.0)
            if best.explains and (best.explained or 0) >= ENOUGH and best.overrides:
                self._found = cause.name
            return best.model_copy(update={"detail": _join(cause.description, suspicion, best.detail + failed)})
        testable = bool(cause.reruns(self._situation)) and bool(self._rows)
        if not testable:
            why = "" if suspicion else "Not tested."
        elif self._found is not None:
            why = f"Not tested, since {self._found} explains the deviation."
        else:
            why = failed.strip() or "Not tested: that takes a rerun."
        return CauseFinding(cause=cause.name, detail=_join(cause.description, suspicion, why))

    def _rescored(self, rescore: Rescore) -> dict[str, float]:
        errors = metrics.point_errors(rescore.landmarks, self._run.faces.landmarks)
        return self._by_subset(metrics.nme(errors, rescore.normaliser))

    def _by_subset(self, nme: np.ndarray) -> dict[str, float]:
        return {name: float(nme[mask].mean()) for name, mask in self._masks.items() if mask.any()}

    def _stored(self, overrides: Overrides) -> dict[str, float] | None:
        """NME of another cell of the run that differs from this one in just these labels, if there is one."""
        labels = {"decoders": "decoder", "flip": "flip", "boxes": "box"}
        if not set(overrides) <= set(labels):
            return None
        wanted = self._situation.cell.model_copy(update={labels[k]: v[0] for k, v in overrides.items()})
        for cell in self._run.record.cells:
            if (cell.model, cell.decoder, cell.flip, cell.box) == (
                wanted.model,
                wanted.decoder,
                wanted.flip,
                wanted.box,
            ):
                return self._by_subset(self._run.per_face[cell.id])
        return None

    def _judge(self, cause: Cause, label: str, overrides: Overrides, nme: Mapping[str, float]) -> CauseFinding:
        """How much of the deviation an alternative takes away, over the subsets that were compared."""
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
        shown = "" if first is None else f" {first.subset} {nme[first.subset]:.3f} (reported {first.reported_text})"
        if explains:
            words = f"With {label} every compared number is reproduced:{shown}."
        elif explained >= PARTLY:
            words = f"With {label} {100 * explained:.0f} % of the deviation is gone:{shown}."
        else:
            words = f"Ruled out: with {label} the deviation stays:{shown}."
        return CauseFinding(
            cause=cause.name,
            detail=words,
            explains=explains,
            explained=explained,
            overrides=dict(overrides),
            nme={row.subset: nme[row.subset] for row in rows},
        )


def _words(overrides: Overrides) -> str:
    """An alternative in words, such as ``box_padding 1.25``."""
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
