"""Compares any cells, of one run or of several, face by face: networks, decoders, boxes, predictions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from nmebench.comparisons.check_runs import require_one_scheme, run_notes, short_names
from nmebench.comparisons.comparison import CellDifference, ComparedPair, ComparedRow, Comparison
from nmebench.comparisons.match_faces import common_faces
from nmebench.comparisons.paired_scores import common_masks, face_nme, rates_of, scores_of
from nmebench.comparisons.settings import cell_notes, changes, weights_note
from nmebench.errors import InputError
from nmebench.runs.run_record import OTHER_GRID, CellRecord, ModelRecord
from nmebench.runs.run_store import Run
from nmebench.scoring import diverged_cells
from nmebench.statistics import holm, paired_difference, ranking

__all__ = ["compare_cells"]


def compare_cells(
    cells: Sequence[tuple[Run, str]],
    *,
    all_pairs: bool = False,
    names: Sequence[str] | None = None,
    level: float = 0.95,
) -> Comparison:
    """Compare cells with the first of them, or all pairs, on the faces that all their runs measured.

    The cells may have different networks, input sizes, decoders, flip tests and boxes: what differs is listed beside
    each result. Where the normalisers of the runs differ, the first run's is used for all. p values are adjusted by
    Holm's procedure over all comparisons that are made: with the first cell, or all pairs. The ranking uses the
    same p, so a cell without a rank counts in the correction.

    Args:
        cells: two or more cells as (run, cell id); the same :class:`Run` object for cells of one run.
        all_pairs: compare every pair and rank the cells, see :func:`nmebench.statistics.ranking`. Cells that
            diverged, or whose preset was made for another grid, are compared, but not ranked.
        names: names for the result; by default the id with the name of the run's folder.
        level: level of the intervals; a difference is significant when its adjusted p is below ``1 - level``.

    Returns:
        The comparison, with one column per cell; nothing is written.

    Raises:
        InputError: fewer than two cells are given, a cell is given twice or missing in its run, the landmark schemes
            differ, the runs have no face in common, or a run isn't scored.
    """
    if len(cells) < 2:
        raise InputError(f"{len(cells)} cell given: give two or more to compare")
    runs = list({id(run): run for run, _ in cells}.values())
    place = {id(run): number for number, run in enumerate(runs)}
    records = [run.cell(cell) for run, cell in cells]
    run_names = short_names(runs)
    names = list(names or _names([run for run, _ in cells], records, dict(zip(map(id, runs), run_names, strict=True))))
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InputError(f"{name}: this cell is given twice; name each cell once")
    require_one_scheme(runs)
    common = common_faces(runs, run_names)
    masks, mask_notes = common_masks(runs, common, run_names)
    values = [face_nme(runs, common, place[id(run)], cell) for run, cell in cells]
    wanted = list(combinations(range(len(cells)), 2)) if all_pairs else [(0, b) for b in range(1, len(cells))]
    paired = [paired_difference(values[a], values[b], common.clusters, level=level) for a, b in wanted]
    found = {
        pair: CellDifference.of(difference, float(p), level)
        for pair, difference, p in zip(wanted, paired, holm([one.p for one in paired]), strict=True)
    }
    first, rates = (cells[0][0], records[0]), rates_of(runs)
    row = ComparedRow(
        "cells",
        tuple(scores_of(record.id, nme, masks, rates) for record, nme in zip(records, values, strict=True)),
        tuple(found.get((0, number)) for number in range(len(cells))),
        ((), *(changes(*first, run, record) for (run, _), record in zip(cells[1:], records[1:], strict=True))),
    )
    pairs = [
        ComparedPair(names[a], names[b], difference, changes(cells[a][0], records[a], cells[b][0], records[b]))
        for (a, b), difference in found.items()
    ]
    diverged = {id(run): diverged_cells(run) for run in runs}  # reads the landmarks of all cells, so once per run
    ranked = {
        name: nme
        for name, nme, (run, cell), record in zip(names, values, cells, records, strict=True)
        if not record.mixed and cell not in diverged[id(run)]
    }
    # The table of pairs also has the cells without a rank, and its p are those of the ranking.
    adjusted = {frozenset((names[a], names[b])): difference.p for (a, b), difference in found.items()}
    notes = [
        note
        for name, (run, _), record in zip(names, cells, records, strict=True)
        for note in cell_notes(record, name, run_names[place[id(run)]], diverged[id(run)])
    ]
    return Comparison(
        names=tuple(names),
        dataset=runs[0].record.dataset.name,
        faces=len(common),
        of=tuple(len(run.faces) for run, _ in cells),
        subsets=tuple(masks),
        rows=(row,),
        notes=(*common.notes, *mask_notes, *run_notes(runs, run_names), *_same_name_notes(cells, records), *notes),
        level=level,
        rates=rates,
        pairs=tuple(pairs) if all_pairs else (),
        ranking=tuple(ranking(ranked, common.clusters, level=level, adjusted=adjusted)) if all_pairs else (),
    )


def _names(runs: Sequence[Run], records: Sequence[CellRecord], run_names: dict[int, str]) -> list[str]:
    """The cells' ids, with their runs' names where there are several runs."""
    return [
        (f"{run_names[id(run)]}:" if len(run_names) > 1 else "") + record.id + (OTHER_GRID if record.mixed else "")
        for run, record in zip(runs, records, strict=True)
    ]


def _same_name_notes(cells: Sequence[tuple[Run, str]], records: Sequence[CellRecord]) -> list[str]:
    """Notes on models that have one name and different weights."""
    models: dict[str, list[ModelRecord]] = {}
    for (run, _), record in zip(cells, records, strict=True):
        models.setdefault(record.model, []).append(run.model(record.model))
    notes = {model: weights_note(found) for model, found in models.items()}
    return [f"{model}: {note}" for model, note in notes.items() if note]
