"""Finds a cell of a run by its id or by a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.runs.cell_id import with_id_characters
from nmebench.runs.run_record import CellRecord
from nmebench.suggest import did_you_mean

if TYPE_CHECKING:
    from nmebench.runs.run_store import Run

__all__ = ["find_cell"]


def find_cell(run: Run, text: str) -> CellRecord:
    """Return the cell of a run that a text names.

    Args:
        run: the run.
        text: the id, or words separated by commas of which each is the cell's model, decoder, flip test or box, or a
            part of its id: ``dark``, ``dark:kernel=17``, ``hrnet,dark,flip``. A cell in which more of the words are
            complete names is preferred: ``dark`` is the decoder ``dark`` and not ``dark:kernel=17``.

    Raises:
        InputError: no cell fits, or several.
    """
    cells = run.record.cells
    for cell in cells:
        if cell.id == text:
            return cell
    words = [word.strip() for word in text.split(",") if word.strip()]
    complete: dict[str, int] = {}
    for cell in cells:
        names = (cell.model, cell.decoder, cell.flip, cell.box)
        if words and all(word in names or with_id_characters(word) in cell.id for word in words):
            complete[cell.id] = sum(word in names for word in words)
    most = max(complete.values(), default=0)
    fitting = [cell for cell in cells if complete.get(cell.id) == most] if complete else []
    if len(fitting) == 1:
        return fitting[0]
    ids = ", ".join(cell.id for cell in (fitting or cells)[:12]) + (", ..." if len(fitting or cells) > 12 else "")
    where = f"{shown(run.path)}: cell {shown(text)[:80]!r}"
    if not fitting:
        hint = did_you_mean(text, [cell.id for cell in cells])
        raise InputError(f"{where}: no such cell{hint}; the run has: {ids}")
    raise InputError(f"{where}: {len(fitting)} cells fit: {ids}; give more of its id, or several words with commas")
