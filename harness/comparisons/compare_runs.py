"""Compares runs with each other: the same cells on the same faces, with paired statistics against the first run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nmebench.comparisons.check_runs import require_one_scheme, run_notes, short_names
from nmebench.comparisons.comparison import CellDifference, ComparedRow, Comparison
from nmebench.comparisons.match_faces import common_faces
from nmebench.comparisons.paired_scores import common_masks, face_nme, rates_of, scores_of
from nmebench.comparisons.settings import cell_notes, changes, weights_note
from nmebench.errors import InputError
from nmebench.runs.run_record import CellRecord
from nmebench.runs.run_store import Run
from nmebench.scoring import diverged_cells
from nmebench.statistics import PairedDifference, holm, paired_difference

__all__ = ["compare"]

Cells = list[CellRecord | None]


def compare(runs: Sequence[Run], *, names: Sequence[str] | None = None, level: float = 0.95) -> Comparison:
    """Compare runs with the first of them, cell by cell.

    Two cells match when their model, decoder, flip test and box are equal. If two runs each have exactly one unmatched
    cell with the same decoder, flip test and box, these match too, even though their models have different names. Runs
    with a single cell each are compared whatever their cells are. Only faces that all runs measured count, see
    :func:`~nmebench.comparisons.common_faces`. Where the normalisers differ, the first run's is used for all.

    Args:
        runs: two or more scored runs.
        names: names for the result; by default those of the runs' folders.
        level: level of the intervals; a difference is significant when its adjusted p is below ``1 - level``.

    Returns:
        The comparison; nothing is written.

    Raises:
        InputError: fewer than two runs are given, their landmark schemes differ, they have no face in common, or a run
            isn't scored.
    """
    if len(runs) < 2:
        raise InputError(f"{len(runs)} run given: give two or more to compare")
    require_one_scheme(runs)
    names = list(names or short_names(runs))
    common = common_faces(runs, names)
    masks, mask_notes = common_masks(runs, common, names)
    table = _matching_cells(runs)
    values = {
        (row, column): face_nme(runs, common, column, cell.id)
        for row, cells in enumerate(table)
        for column, cell in enumerate(cells)
        if cell is not None
    }
    pairs: dict[tuple[int, int], PairedDifference] = {
        (row, column): paired_difference(values[row, 0], nme, common.clusters, level=level)
        for (row, column), nme in values.items()
        if column and (row, 0) in values
    }
    adjusted = dict(zip(pairs, holm([pair.p for pair in pairs.values()]), strict=True))
    columns, rates = range(len(runs)), rates_of(runs)
    rows = [
        ComparedRow(
            _label(cells),
            tuple(
                None if cell is None else scores_of(cell.id, values[r, c], masks, rates) for c, cell in enumerate(cells)
            ),
            tuple(
                CellDifference.of(pairs[r, c], float(adjusted[r, c]), level) if (r, c) in pairs else None
                for c in columns
            ),
            _row_changes(runs, cells),
        )
        for r, cells in enumerate(table)
    ]
    return Comparison(
        names=tuple(names),
        dataset=runs[0].record.dataset.name,
        faces=len(common),
        of=tuple(len(run.faces) for run in runs),
        subsets=tuple(masks),
        rows=tuple(rows),
        notes=(*common.notes, *mask_notes, *run_notes(runs, names), *_cell_notes(runs, names, table)),
        level=level,
        rates=rates,
    )


def _matching_cells(runs: Sequence[Run]) -> list[tuple[CellRecord | None, ...]]:
    """Rows of matching cells, with one item per run; None for a run without the cell."""
    if all(len(run.record.cells) == 1 for run in runs):
        return [tuple(run.record.cells[0] for run in runs)]
    table: dict[str, Cells] = {}
    for number, run in enumerate(runs):
        for cell in run.record.cells:
            table.setdefault(cell.id, [None] * len(runs))[number] = cell
    # The same network may have another name in the other run: join rows that are the only ones with their protocol.
    for number in range(1, len(runs)):
        only_first = _unmatched(table, present=0, missing=number)
        only_this = _unmatched(table, present=number, missing=0)
        for protocol, keys in only_this.items():
            targets = only_first.get(protocol, [])
            if len(keys) == 1 and len(targets) == 1:
                row = table[keys[0]]
                table[targets[0]][number], row[number] = row[number], None
                if not any(row):
                    del table[keys[0]]
    return [tuple(row) for row in table.values()]


def _unmatched(table: Mapping[str, Cells], *, present: int, missing: int) -> dict[tuple[str, str, str], list[str]]:
    """Keys of the rows with a cell of one run and none of another, by the cell's decoder, flip test and box."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for key, row in table.items():
        cell = row[present]
        if cell is not None and row[missing] is None:
            found.setdefault((cell.decoder_label, cell.flip, cell.box), []).append(key)
    return found


def _label(cells: Sequence[CellRecord | None]) -> str:
    existing = [cell for cell in cells if cell is not None]
    parts = [
        dict.fromkeys(getattr(cell, field) for cell in existing) for field in ("model", "decoder_label", "flip", "box")
    ]
    return ", ".join(" / ".join(values) for values in parts)


def _row_changes(runs: Sequence[Run], cells: Sequence[CellRecord | None]) -> tuple[tuple[str, ...], ...]:
    """For each run the settings of its cell that differ from the row's first cell."""
    first = next((run, cell) for run, cell in zip(runs, cells, strict=True) if cell is not None)
    return tuple(
        () if cell is None or cell is first[1] else changes(*first, run, cell)
        for run, cell in zip(runs, cells, strict=True)
    )


def _cell_notes(runs: Sequence[Run], names: Sequence[str], table: Sequence[Sequence[CellRecord | None]]) -> list[str]:
    """Other weights, heatmaps that gave no landmark, and cells that diverged, by cell."""
    notes = []
    diverged = [diverged_cells(run) for run in runs]  # reads the landmarks of all cells, so once per run
    for cells in table:
        measured = [(i, cell) for i, cell in enumerate(cells) if cell is not None]
        if note := weights_note([runs[i].model(cell.model) for i, cell in measured]):
            notes.append(f"{_label(cells)}: {note}")
        for i, cell in measured:
            notes.extend(cell_notes(cell, _label(cells), names[i], diverged[i]))
    return notes
