"""Reads the arguments of ``nmebench compare``: runs and cells of runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nmebench.runs.cell_selection import find_cell
from nmebench.runs.run_store import Run

__all__ = ["Selection", "select"]


@dataclass(frozen=True)
class Selection:
    """A run, or one of its cells."""

    run: Run
    cell: str | None
    """Id of the cell; None for all cells."""


def select(arguments: Sequence[str]) -> list[Selection]:
    """Open the runs that arguments name, each folder once.

    Args:
        arguments: ``RUN`` or ``RUN:CELL``; a cell is named by its id or by an unambiguous part, see
            :func:`~nmebench.runs.cell_selection.find_cell`.

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
