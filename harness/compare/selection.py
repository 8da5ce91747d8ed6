"""Reads the arguments of ``nmebench compare``: runs and cells of runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.runs.cell_id import with_id_characters
from nmebench.runs.run_record import CellRecord
from nmebench.runs.run_store import Run
from nmebench.suggest import did_you_mean

__all__ = ["Selection", "find_cell", "select"]


@dataclass(frozen=True)
class Selection:
    """A run, or one of its cells."""

    run: Run
    cell: str | None
    """Id of the cell; None for all cells."""


def select(arguments: Sequence[str]) -> list[Selection]:
    """Open the runs that arguments name, each folder once.

    Args:
        arguments: ``RUN`` or ``RUN:CELL``; a cell is named by its id or by an unambiguous part, see :func:`find_cell`.

    Raises:
        InputError: there is no such run or cell, or a part fits several cells.
    """
    opened: dict[Path, Run] = {}
    found = []
    for argument in arguments:
        folder, cell = _split(argument)
        key = folder.resolve() if _is_folder(str(folder)) else folder
        if key not in opened:
            opened[key] = Run.open(folder)
        run = opened[key]
        found.append(Selection(run, None if cell is None else find_cell(run, cell).id))
    return found


def _split(argument: str) -> tuple[Path, str | None]:
    """Split ``RUN:CELL`` at the first colon whose left side is a folder; both names may contain colons."""
    if not _is_folder(argument):
        for colon in re.finditer(":", argument):
            if _is_folder(argument[: colon.start()]):
                return Path(argument[: colon.start()]), argument[colon.end() :]
    return Path(argument), None


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):  # too long, or a NUL in the name
        return False


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
