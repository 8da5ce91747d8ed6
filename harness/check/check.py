"""Compare a run with what was reported, only where protocol and number of faces are the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.check.reported_tables import METRICS, ReportedTable, tables
from nmebench.check.rounded_value import RoundedValue
from nmebench.check.verdict import Status, Verdict, VerdictRow
from nmebench.runs.run_store import CellRecord, ModelRecord, Run
from nmebench.scoring import subset_masks

__all__ = ["check"]

Metric = Literal["nme", "fr10", "auc10"]
THRESHOLD = 10.0


@dataclass(frozen=True)
class _Outcome:
    """What became of one reported number; the fields of a row that depend on it."""

    status: Status
    reason: str
    measured: float | None = None
    difference: float | None = None


def check(run: Run, *, published: bool = True) -> Verdict:
    """Compare every reported number of the run's networks with the measured one; store and return the verdict.

    A number is compared when a cell has the table's decoder, flip test and box, and the subset has as many faces as the
    complete set. It is reproduced when it lies within the rounding of the printed value, widened by the table's
    tolerance. FR is compared as a count of faces.

    Args:
        run: a scored run.
        published: also compare with published tables whose checkpoint has the hash of the weights that ran.

    Returns:
        The verdict, also stored as ``verdict.json``.

    Raises:
        InputError: the run isn't scored.
    """
    masks = subset_masks(run)
    rows: list[VerdictRow] = []
    for model in run.record.models:
        for table in tables(model, with_published=published):
            rows.extend(_table_rows(run, model, table, masks))
    verdict = Verdict(rows=tuple(rows))
    run.write_json("verdict.json", verdict.model_dump(mode="json"))
    return verdict


def _table_rows(
    run: Run, model: ModelRecord, table: ReportedTable, masks: Mapping[str, NDArray[np.bool_]]
) -> list[VerdictRow]:
    cell, obstacle = _cell(run, model, table)
    rows = []
    for metric in METRICS:
        for subset, value in table.values[metric].items():
            low, high, allowed = _allowed(metric, value, table.tolerance, run.record.dataset.expected.get(subset))
            obstacle_here = obstacle or _faces(run, subset)
            if obstacle_here:
                outcome = obstacle_here
            else:
                assert cell is not None  # noqa: S101 - _cell gives a cell or an obstacle
                outcome = _compare(metric, value, table.tolerance, run.per_face[cell.id][masks[subset]])
            rows.append(
                VerdictRow(
                    model=model.name,
                    dataset=table.dataset,
                    table=table.name,
                    metric=metric,  # type: ignore[arg-type]
                    subset=subset,
                    cell=cell.id if cell else None,
                    reported=float(value.value),
                    reported_text=str(value),
                    measured=outcome.measured,
                    difference=outcome.difference,
                    low=low,
                    high=high,
                    allowed=allowed,
                    status=outcome.status,
                    reason=outcome.reason,
                    source=table.source,
                )
            )
    return rows


def _cell(run: Run, model: ModelRecord, table: ReportedTable) -> tuple[CellRecord | None, _Outcome | None]:
    """The cell that was measured as the table was, or why there is none."""
    record = run.record
    if table.dataset != record.dataset.name:
        return None, _Outcome("not run", f"this run measured {record.dataset.name}")
    unknown = table.protocol.unknown()
    if unknown:
        return None, _Outcome("not comparable", f"the table's {' and '.join(unknown)} isn't told or has no name here")
    cells = [cell for cell in record.cells if cell.model == model.name]
    if not cells:
        return None, _Outcome("not run", "no cell of this model")
    nearest = min(cells, key=lambda cell: (len(d := table.protocol.differences(cell)), "decoder" in d))
    differences = table.protocol.differences(nearest)
    if "decoder" in differences:
        return None, _Outcome("not run", f"no cell with {table.protocol}")
    if differences:
        words = "; ".join(f"measured with {n} {a}, reported with {n} {b}" for n, (a, b) in differences.items())
        return None, _Outcome("not comparable", words)
    if record.normaliser != table.protocol.normaliser:
        words = f"normalised by {record.normaliser}, reported by {table.protocol.normaliser}"
        return nearest, _Outcome("not comparable", words)
    return nearest, None


def _faces(run: Run, subset: str) -> _Outcome | None:
    """Why a subset's faces aren't those of the complete set, or None."""
    dataset = run.record.dataset
    here, whole = dataset.counts.get(subset), dataset.expected.get(subset)
    if whole is None:
        return _Outcome("not comparable", f"how many faces {subset} has in the complete set isn't known")
    if here is None:
        return _Outcome("not run", f"the files don't tell the subset {subset}")
    if here != whole:
        return _Outcome("not comparable", f"{here} of {whole} faces")
    return None


def _auc_tolerance(tolerance: float) -> float:
    """If no face's NME moves by more than a tolerance, AUC moves by no more than tolerance / threshold."""
    return tolerance / THRESHOLD


def _allowed(metric: str, value: RoundedValue, tolerance: float, faces: int | None) -> tuple[float, float, str]:
    widened = f", tolerance {tolerance:g}" if tolerance else ""
    if metric == "auc10":
        low, high = value.interval(round(_auc_tolerance(tolerance), 12))
        return (
            low,
            high,
            f"{low:.6g} to {high:.6g} (rounding{widened} points of NME)"
            if tolerance
            else (f"{low:.6g} to {high:.6g} (rounding)"),
        )
    if metric == "nme":
        low, high = value.interval(tolerance)
        return low, high, f"{low:.6g} to {high:.6g} (rounding{widened})"
    low, high = value.interval()
    counts = value.counts(faces) if faces else range(0)
    if not counts:
        return low, high, "a whole number of faces"
    number = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    margin = f", faces within {tolerance:g} of the threshold either way" if tolerance else ""
    return low, high, f"{number} of {faces} faces{margin}"


def _compare(metric: str, value: RoundedValue, tolerance: float, nme: NDArray[np.float64]) -> _Outcome:
    if metric == "fr10":
        return _compare_failures(value, tolerance, nme)
    measured = float(nme.mean()) if metric == "nme" else metrics.auc(nme, THRESHOLD)
    low, high = value.interval(tolerance if metric == "nme" else round(_auc_tolerance(tolerance), 12))
    digits, unit = (3, " points") if metric == "nme" else (4, "")
    difference = measured - float(value.value)
    return _judged(low <= measured < high, measured, difference, f"{abs(difference):.{digits}f}{unit}")


def _compare_failures(value: RoundedValue, tolerance: float, nme: NDArray[np.float64]) -> _Outcome:
    faces = len(nme)
    wanted = value.counts(faces)
    if not wanted:
        return _Outcome("not comparable", f"{value} % is no whole number of {faces} faces")
    count = metrics.failures(nme, THRESHOLD)
    # A face may move by the tolerance, and with it over the threshold.
    least, most = metrics.failures(nme, THRESHOLD + tolerance), metrics.failures(nme, THRESHOLD - tolerance)
    measured = 100 * count / faces
    nearest = min(wanted, key=lambda k: abs(k - count))
    gap = abs(count - nearest)
    return _judged(
        least <= wanted[-1] and most >= wanted[0],
        measured,
        measured - float(value.value),
        f"{gap} {'face' if gap == 1 else 'faces'} ({count}, reported {nearest}, of {faces})",
    )


def _judged(reproduced: bool, measured: float, difference: float, size: str) -> _Outcome:
    side = "above" if difference > 0 else "below"
    if reproduced:
        return _Outcome("reproduced", "within what is allowed", measured, difference)
    return _Outcome("deviates", f"{size} {side} the reported value", measured, difference)
