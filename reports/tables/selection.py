"""The cells and subsets of a run that a table shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.protocol import in_table_order
from nmebench.runs.run_record import CellRecord
from nmebench.runs.run_store import Run
from nmebench.suggest import did_you_mean

__all__ = ["Selection", "selected_cells", "selected_subsets"]

_ORACLE = "oracle"
"""The model that makes heatmaps from the ground truth. It isn't a network, so it is shown only when it is named."""


_LISTED = 12
"""Number of known values that a message lists."""


@dataclass(frozen=True)
class Selection:
    """Patterns with ``*`` and ``?``; an empty tuple selects everything, otherwise the rows have the given order."""

    models: tuple[str, ...] = ()
    decoders: tuple[str, ...] = ()
    """Decoder specs, such as ``dark`` or ``dark:*``."""
    flips: tuple[str, ...] = ()
    boxes: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    """Cell ids."""
    subsets: tuple[str, ...] = ()
    """Names of subsets, without patterns; empty for all that have faces."""


def selected_cells(run: Run, selection: Selection) -> list[CellRecord]:
    """Return the cells of a run that a selection names: by network, then in the order of the patterns.

    Raises:
        InputError: a pattern matches no cell, or no cell matches all of them.
    """
    cells = list(run.record.cells)
    others = [cell for cell in cells if cell.model != _ORACLE]
    if not selection.models and not selection.cells and others:
        cells = others
    parts: tuple[tuple[str, tuple[str, ...], Callable[[CellRecord], str]], ...] = (
        ("box", selection.boxes, lambda cell: cell.box),
        ("flip", selection.flips, lambda cell: cell.flip),
        ("decoder", selection.decoders, lambda cell: cell.decoder),
        ("model", selection.models, lambda cell: cell.model),
        ("cell", selection.cells, lambda cell: cell.id),
    )
    for option, patterns, value in parts:  # the sort is stable: the last part is the first key
        if patterns:
            _require_matches(run, option, patterns, [value(cell) for cell in run.record.cells])
            cells = [cell for cell in cells if _position(value(cell), patterns) is not None]
            cells.sort(key=lambda cell: _position(value(cell), patterns) or 0)
        elif option == "model":
            order = [record.name for record in run.record.models]
            cells.sort(key=lambda cell: order.index(cell.model) if cell.model in order else len(order))
    if not cells:
        raise InputError(
            f"{shown(run.path)}: no cell matches all of the options; `nmebench report` shows the run's cells"
        )
    return cells


def _position(value: str, patterns: Sequence[str]) -> int | None:
    """The position of the first pattern that matches a value."""
    return next((i for i, pattern in enumerate(patterns) if value == pattern or fnmatchcase(value, pattern)), None)


def _require_matches(run: Run, option: str, patterns: Sequence[str], values: Sequence[str]) -> None:
    known = sorted(set(values))
    for pattern in patterns:
        if not any(_position(value, [pattern]) is not None for value in known):
            raise InputError(
                f"--{option} {shown(pattern)!r}: matches no cell of {shown(run.path)}{did_you_mean(pattern, known)} "
                f"(known: {', '.join(map(shown, known[:_LISTED]))}{', ...' if len(known) > _LISTED else ''})"
            )


def selected_subsets(run: Run, selection: Selection) -> list[str]:
    """Return the subsets of a table's columns: those named, or all that have faces, in the order of papers.

    Raises:
        InputError: the run has no face in a subset that is named.
    """
    counts = run.record.dataset.counts
    known = in_table_order(name for name, count in counts.items() if count)
    for name in selection.subsets:
        if name not in known:
            raise InputError(
                f"--subset {shown(name)!r}: no face of {shown(run.path)} is in it; subsets: {', '.join(known)}"
            )
    return list(selection.subsets) or known
