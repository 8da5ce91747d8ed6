"""Compares a run with the numbers reported for its networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from nmebench import metrics
from nmebench.checks.auc_methods import AUC_METHODS
from nmebench.checks.declared_rows import declared_tables
from nmebench.checks.reported_tables import ReportedTable, tables_for
from nmebench.checks.rounded_value import RoundedValue
from nmebench.checks.verdict import Status, Verdict, VerdictRow
from nmebench.datasets import SUSPECT
from nmebench.field_problem import problems
from nmebench.metric_names import Metric
from nmebench.runs.run_files import damaged
from nmebench.runs.run_record import CellRecord, ModelRecord
from nmebench.runs.run_store import Run
from nmebench.scoring import (
    bad_maps,
    card_settings,
    cell_settings,
    declared_protocol,
    setting_differences,
    subset_masks,
)

__all__ = ["check"]


@dataclass(frozen=True)
class _Outcome:
    """The fields of a verdict row that depend on the comparison."""

    status: Status
    reason: str
    measured: float | None = None
    difference: float | None = None


def check(run: Run, *, published: bool = True) -> Verdict:
    """Compare every number reported for the run's networks with the measured one.

    A number is compared when a cell has the table's decoder, flip test, box and normaliser, every other setting that
    moves a landmark (box padding, colour, architecture options, precision) is the card's, no heatmap was invalid, and
    the subset has as many faces as the complete set. It is reproduced when the measured value is within the rounding
    interval of the printed value, widened by the table's tolerance. FR is compared as a count of faces. FR and AUC are
    measured at the thresholds of the table, whatever those of the run are: the NME of every face is stored.

    Args:
        run: a scored run.
        published: also compare with published tables whose checkpoint has the hash of the weights that ran.

    Returns:
        A row for every reported number. Nothing is written; the command line stores the result as ``verdict.json``.

    Raises:
        InputError: the run isn't scored, or a part of it is damaged.
    """
    masks = subset_masks(run)
    rows: list[VerdictRow] = []
    for model in run.record.models:
        try:
            tables = list(tables_for(model, with_published=published))
        except ValidationError as error:
            raise damaged(run.path, "run.json", f"the card of {model.name}: {problems(error)}") from error
        if published:
            tables += declared_tables(run)
        for table in tables:
            rows.extend(_table_rows(run, model, table, masks))
    return Verdict(rows=tuple(_with_other_tables(rows)))


def _with_other_tables(rows: Sequence[VerdictRow]) -> Iterator[VerdictRow]:
    """Yield the rows; a deviating one also names the tables of the same network that print another number."""
    for row in rows:
        others = [
            f"{other.table} has {other.reported_text}"
            for other in rows
            if (other.model, other.dataset, other.metric, other.subset)
            == (row.model, row.dataset, row.metric, row.subset)
            and other.reported != row.reported
        ]
        if row.status == "deviates" and others:
            row = row.model_copy(update={"reason": f"{row.reason}; {', '.join(others)}"})
        yield row


def _table_rows(
    run: Run, model: ModelRecord, table: ReportedTable, masks: Mapping[str, NDArray[np.bool_]]
) -> list[VerdictRow]:
    cell, obstacle = _matching_cell(run, model, table)
    rows = []
    for metric, values in ((Metric.parse(name), values) for name, values in table.values.items()):
        for subset, value in values.items():
            low, high, allowed = _allowed_range(metric, value, table.tolerance, run.record.dataset.expected.get(subset))
            own = table.dataset == run.record.dataset.name  # the faces of another data set have other numbers
            incomplete = _incomplete_subset(run, subset) if own else None
            outcome = obstacle or incomplete or _suspect_input(run)
            if obstacle and incomplete and obstacle.status == incomplete.status:
                outcome = replace(obstacle, reason=f"{incomplete.reason}; {obstacle.reason}")
            if outcome is None:
                assert cell is not None  # noqa: S101 - _matching_cell returns a cell or an obstacle
                outcome = _compare(metric, value, table, run.per_face[cell.id][masks[subset]])
                if empty := bad_maps(cell, "empty"):
                    outcome = replace(outcome, reason=f"{outcome.reason}; {empty} heatmaps of this cell are empty")
                if doubt := table.doubt(metric.name, subset):
                    reason = f"the printed number contradicts others of its row: {doubt}"
                    outcome = replace(outcome, status="not comparable", reason=reason)
                if declared_protocol(run) is not None and not table.of_predictions:
                    outcome = replace(outcome, reason=f"{outcome.reason}; the protocol was declared, not measured")
            rows.append(
                VerdictRow(
                    model=model.name,
                    dataset=table.dataset,
                    table=table.name,
                    metric=metric.name,
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


def _matching_cell(run: Run, model: ModelRecord, table: ReportedTable) -> tuple[CellRecord | None, _Outcome | None]:
    """The cell measured with the table's protocol, or the outcome that explains why there is none."""
    record = run.record
    mapped = next((cell for cell in record.cells if cell.model == model.name and cell.mapping), None)
    if mapped is not None and mapped.mapping is not None:
        text = f"measured through the mapping {mapped.mapping.label} on {record.dataset.name}"
        text += "" if table.dataset == record.dataset.name else f", and the table is of {table.dataset}"
        return None, _Outcome("not comparable", text)
    if table.dataset != record.dataset.name:
        return None, _Outcome("not run", f"this run measured {record.dataset.name}")
    if table.of_predictions:
        return record.cells[0], _other_normaliser(run, table)
    unknown = table.protocol.unknown()
    if unknown:
        text = f"not stated for the table, or not available in nmebench: {', '.join(unknown)}"
        return None, _Outcome("not comparable", text)
    cells = [cell for cell in record.cells if cell.model == model.name]
    if not cells:
        return None, _Outcome("not run", "no cell of this model")
    nearest = min(cells, key=lambda cell: (len(d := table.protocol.differences(cell)), "decoder" in d))
    differences = table.protocol.differences(nearest)
    if "decoder" in differences:
        return None, _Outcome("not run", f"no cell with {table.protocol}")
    if differences:
        text = _differences_text(run, differences)
        return None, _Outcome("not comparable", text)
    changed = setting_differences(cell_settings(run, nearest), card_settings(model, nearest.box))
    if changed:
        text = _differences_text(run, changed)
        return nearest, _Outcome("not comparable", text)
    if invalid := bad_maps(nearest):
        text = f"{invalid} heatmaps of this cell are invalid (NaN or infinity), so it doesn't measure the network"
        return nearest, _Outcome("not comparable", text)
    of_decoder = f"{SUSPECT}{nearest.decoder.partition(':')[0]}:"
    if doubt := next((note for note in model.notes if note.startswith(of_decoder)), None):
        return nearest, _Outcome("not comparable", doubt)
    return nearest, _other_normaliser(run, table)


def _other_normaliser(run: Run, table: ReportedTable) -> _Outcome | None:
    """The outcome for a table with another normaliser than the run's; None when they are the same."""
    measured, reported = run.record.normaliser, table.protocol.normaliser
    if reported is None:
        return _Outcome("not comparable", "not stated for the table, or not available in nmebench: normaliser")
    if measured != reported:
        way = f"; `nmebench score RUN --normaliser {reported} -o OTHER`" if reported in run.faces.normalisers else ""
        return _Outcome("not comparable", f"normalised by {measured}, reported by {reported}{way}")
    return None


def _differences_text(run: Run, differences: Mapping[str, tuple[str, str]]) -> str:
    """The settings in which a cell differs from a table; those of predictions are declared, not measured."""
    verb = "measured" if declared_protocol(run) is None else "declared"
    return "; ".join(f"{verb} with {n} {a}, reported with {n} {b}" for n, (a, b) in differences.items())


def _suspect_input(run: Run) -> _Outcome | None:
    """The outcome for annotations or predictions that are probably wrong; None where no note says so.

    A note on a cell of a network begins with the cell's id. Such a cell deviates, and the causes say why.
    """
    of_cells = tuple(f"{SUSPECT}{cell.id}:" for cell in run.record.cells)
    notes = [note for note in run.record.dataset.notes if note.startswith(SUSPECT) and not note.startswith(of_cells)]
    return _Outcome("not comparable", notes[0]) if notes else None


def _incomplete_subset(run: Run, subset: str) -> _Outcome | None:
    """The outcome for a subset whose faces aren't those of the complete set; None when they are."""
    dataset = run.record.dataset
    measured, complete = dataset.counts.get(subset), dataset.expected.get(subset)
    if complete is None:
        return _Outcome("not comparable", f"the number of faces of {subset} in the complete set is not known")
    if measured is None:
        return _Outcome("not run", f"the annotation files don't define the subset {subset}")
    if measured != complete:
        return _Outcome("not comparable", f"{measured} of {complete} faces")
    return None


def _auc_tolerance(tolerance: float, threshold: float) -> float:
    """The tolerance of AUC (a fraction) that follows from one of NME (percent points).

    If no face's NME moves by more than the tolerance, AUC moves by no more than tolerance / threshold.
    """
    return round(tolerance / threshold, 12)


def _allowed_range(
    metric: Metric, value: RoundedValue, tolerance: float, faces: int | None
) -> tuple[float, float, str]:
    """The range (from, to) that counts as reproduced, and a description of it."""
    widened = f", tolerance {tolerance:g}" if tolerance else ""
    if metric.kind == "auc" and metric.threshold is not None:
        low, high = value.interval(_auc_tolerance(tolerance, metric.threshold))
        unit = " points of NME" if tolerance else ""
        return low, high, f"{low:.6g} to {high:.6g} (rounding{widened}{unit})"
    if metric.kind == "nme":
        low, high = value.interval(tolerance)
        return low, high, f"{low:.6g} to {high:.6g} (rounding{widened})"
    low, high = value.interval()
    counts = value.counts(faces) if faces else range(0)
    if not counts:
        return low, high, "a whole number of faces"
    number = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    margin = f", faces within {tolerance:g} of the threshold either way" if tolerance else ""
    return low, high, f"{number} of {faces} faces{margin}"


def _compare(metric: Metric, value: RoundedValue, table: ReportedTable, nme: NDArray[np.float64]) -> _Outcome:
    """Compare one reported value with the NME of the subset's faces (percent ``[N]``).

    AUC is computed as the table's source does.
    """
    tolerance, method = table.tolerance, AUC_METHODS.get(table.auc_method or "")
    if metric.kind == "fr" and metric.threshold is not None:
        return _compare_failures(metric.threshold, value, tolerance, nme)
    if metric.threshold is None:
        measured, allowed, digits, unit = float(nme.mean()), tolerance, 3, " points"
    else:
        area = metrics.auc if method is None else method.compute
        measured, digits, unit = area(nme, metric.threshold), 4, ""
        allowed = _auc_tolerance(tolerance, metric.threshold)
    low, high = value.interval(allowed)
    difference = measured - float(value.value)
    outcome = _outcome(
        low <= measured < high, measured, difference, f"{abs(difference):.{max(digits, value.decimals)}f}{unit}"
    )
    if method is not None and metric.threshold is not None:
        outcome = replace(outcome, reason=f"{outcome.reason}; {method.explain(nme, metric.threshold)}")
    return outcome


def _compare_failures(threshold: float, value: RoundedValue, tolerance: float, nme: NDArray[np.float64]) -> _Outcome:
    """Compare a failure rate as a count of faces."""
    faces = len(nme)
    reported = value.counts(faces)
    if not reported:
        return _Outcome("not comparable", f"{value} % is not a whole number of {faces} faces")
    count = metrics.failures(nme, threshold)
    # Each face's NME may move by the tolerance, which may take it over the threshold in either direction.
    fewest, most = metrics.failures(nme, threshold + tolerance), metrics.failures(nme, threshold - tolerance)
    measured = 100 * count / faces
    nearest = min(reported, key=lambda k: abs(k - count))
    gap = abs(count - nearest)
    return _outcome(
        fewest <= reported[-1] and most >= reported[0],
        measured,
        measured - float(value.value),
        f"{gap} {'face' if gap == 1 else 'faces'} ({count}, reported {nearest}, of {faces})",
    )


def _outcome(reproduced: bool, measured: float, difference: float, size: str) -> _Outcome:
    if reproduced:
        return _Outcome("reproduced", "within the allowed range", measured, difference)
    side = "above" if difference > 0 else "below"
    return _Outcome("deviates", f"{size} {side} the reported value", measured, difference)
