"""Prints the scores of a run as a table."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from nmebench.cli.console import console, table
from nmebench.cli.json_output import document
from nmebench.metric_names import NME, Metric, metric_names
from nmebench.printable import counted, shown
from nmebench.protocol import in_table_order
from nmebench.runs.run_record import CellRecord
from nmebench.runs.run_store import Run
from nmebench.runs.sweep_folder import SweepFolder
from nmebench.scoring import (
    bad_maps,
    card_settings,
    cell_settings,
    declared_protocol,
    diverged_cells,
    setting_differences,
)
from nmebench.scoring.point_subsets import POINT_SUBSETS
from nmebench.scoring.rescore import describe_rescore

__all__ = ["SHORT", "print_scores", "print_sweep", "print_time", "scores_json", "sweep_json"]


SHORT: Final[Mapping[str, str]] = MappingProxyType({"expression": "expr", "illumination": "illum", "occlusion": "occl"})
"""Short names of the subsets for narrow terminals."""


def print_scores(run: Run, *, of: Path | None = None) -> None:
    """Print NME by cell and subset (percent), FR and AUC over all faces, and the path of the run.

    Args:
        run: a scored run.
        of: the run that it was rescored from, if it is not stored.
    """
    record = run.record
    subsets = in_table_order(record.dataset.counts)
    rates = [Metric.parse(name) for name in metric_names(record.thresholds) if name != NME]
    titles = tuple(metric.title for metric in rates)
    scores = {(row["cell"], row["subset"]): row for row in run.score_rows()}
    parts = [name for name in POINT_SUBSETS if any(f"nme_{name}" in row for row in scores.values())]
    of_points = tuple(f"{name} points" for name in parts)
    head = ("model", "decoder", "flip", "box", *subsets, *titles, *of_points)
    title = f"{record.dataset.name}: {record.dataset.describe()}, NME in percent ({record.normaliser})"
    body = table(title, *head, optional=(*of_points[::-1], *titles[::-1]), short=SHORT)
    for cell in record.cells:
        all_faces = scores[cell.id, "test"]
        body.add_row(
            cell.model,
            cell.decoder_label,
            cell.flip,
            cell.box,
            *(f"{scores[cell.id, name]['nme']:.3f}" if (cell.id, name) in scores else "-" for name in subsets),
            *(_rate(metric, all_faces) for metric in rates),
            *(f"{all_faces[f'nme_{name}']:.3f}" if all_faces[f"points_{name}"] else "-" for name in parts),
        )
    out = console()
    out.print(body)
    if record.rescored is not None:
        out.print(f"note: rescored from stored landmarks: {'; '.join(describe_rescore(record))}")
    for note in record.dataset.notes:
        out.print(f"note: {note}")
    for note in dict.fromkeys(note for model in record.models for note in model.notes):
        sys.stderr.write(shown(f"note: {note}") + "\n")
    for sentence in record.not_run:
        out.print(f"not run: {sentence}")
    for note in _notes_of_cells(run):
        out.print(f"note: {note}")
    out.print(f"run: {run.path}" if of is None else f"not stored: {of} is unchanged; store these scores with -o")


def _rate(metric: Metric, row: Mapping[str, Any]) -> str:
    """FR in percent with the number of faces, or AUC."""
    if metric.kind == "fr":
        return f"{row[metric.name]:.3f} ({int(row[f'{metric.name}_count'])})"
    return f"{row[metric.name]:.4f}"


def scores_json(run: Run, *, of: Path | None = None) -> dict[str, Any]:
    """Return the scores of a run as plain data for JSON: the rows of ``scores.csv`` with the notes and the path.

    Args:
        run: a scored run.
        of: the run that it was rescored from, if it is not stored.
    """
    record = run.record
    rows = [
        {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
        for row in run.score_rows()
    ]
    model_notes = dict.fromkeys(note for model in record.models for note in model.notes)
    fields = {
        "run": str(run.path if of is None else of),
        "stored": of is None,
        "dataset": record.dataset.name,
        "faces": record.dataset.describe(),
        "normaliser": record.normaliser,
        "thresholds": list(record.thresholds),
        "rescored": None if record.rescored is None else record.rescored.model_dump(mode="json"),
        "declared": declared_protocol(run),
        "scores": rows,
        "notes": [*record.dataset.notes, *model_notes, *_notes_of_cells(run)],
        "not_run": list(record.not_run),
    }
    return document("scores", **fields)


def print_sweep(sweep: SweepFolder) -> None:
    """Print the scores and the time of each run of a sweep, and its path."""
    for run in sweep.runs.values():
        print_scores(run)
        print_time(run)
    console().print(f"sweep: {sweep.path}, {counted(len(sweep.runs), 'run')}: {', '.join(sweep.runs)}")


def sweep_json(sweep: SweepFolder) -> dict[str, Any]:
    """Return the scores of a sweep as plain data for JSON: those of each run by its folder."""
    runs = {folder: scores_json(run) for folder, run in sweep.runs.items()}
    return document("scores of a sweep", sweep=str(sweep.path), runs=runs)


def _notes_of_cells(run: Run) -> list[str]:
    """Notes on the cells' settings, heatmaps without a landmark and faces that diverged."""
    notes = [f"{cell.id}: {note}" for cell in run.record.cells for note in _cell_notes(run, cell)]
    diverged = diverged_cells(run).values()
    return [*notes, *(f"{one.cell}: {one.text}, so its mean says little about the other faces" for one in diverged)]


def _cell_notes(run: Run, cell: CellRecord) -> Iterator[str]:
    """Settings that aren't the model card's, and heatmaps that gave no landmark."""
    measured, expected = cell_settings(run, cell), card_settings(run.model(cell.model), cell.box)
    for name, (now, card) in setting_differences(measured, expected).items():
        verb = "measured" if run.record.kind == "sweep" else "declared"
        yield f"{verb} with {name} {now} instead of {card}"
    for kind in ("invalid", "empty"):
        if count := bad_maps(cell, kind):
            yield f"{count} heatmaps are {kind}, so their landmarks are not the network's"


def print_time(run: Run) -> None:
    """Print the total time, the time per face, and the share of every stage that took at least 1 %."""
    timings = run.timings
    total, faces = float(timings["total"]), int(timings["faces"])
    shares = sorted(((seconds / total, stage) for stage, seconds in timings["stages"].items()), reverse=True)
    named = ", ".join(f"{stage} {100 * share:.0f} %" for share, stage in shares if share >= 0.01)
    console().print(f"time: {total:.1f} s, {1e3 * total / faces:.1f} ms per face: {named}")
