"""Reads the arguments of ``nmebench compare``, runs and cells of runs, and compares what they name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nmebench.comparisons.compare_cells import compare_cells
from nmebench.comparisons.compare_runs import compare
from nmebench.comparisons.comparison import Comparison
from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.runs.cell_selection import find_cell
from nmebench.runs.run_store import Run

__all__ = ["Selection", "compare_selected", "select"]


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


def compare_selected(chosen: Sequence[Selection], *, all_pairs: bool = False, level: float = 0.95) -> Comparison:
    """Compare runs cell by cell, or the named cells.

    Args:
        chosen: runs, or cells, of which a run without a cell stands for all of its cells.
        all_pairs: compare every pair of cells and rank them.
        level: level of the intervals.

    Raises:
        InputError: there are fewer than two runs, or cells, or they can't be compared.
    """
    if not all_pairs and all(one.cell is None for one in chosen):
        if len(chosen) == 1:
            raise InputError(
                f"{shown(chosen[0].run.path)}: only one run given; give two or more to compare, or compare all pairs "
                "of its cells (--all-pairs, all_pairs=True)"
            )
        return compare([one.run for one in chosen], level=level)
    cells = [
        (one.run, cell)
        for one in chosen
        for cell in ([one.cell] if one.cell is not None else [record.id for record in one.run.record.cells])
    ]
    if len(cells) == 1:
        raise InputError(f"{shown(chosen[0].run.path)}: only one cell given; give two or more to compare")
    return compare_cells(cells, all_pairs=all_pairs, level=level)


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
