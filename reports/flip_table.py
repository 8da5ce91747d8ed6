"""The README's table of decoders and flip tests, made from a committed run and its paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nmebench.errors import InputError
from nmebench.protocol import FLIPS
from nmebench.reports.committed_differences import interval, read_differences
from nmebench.reports.render import markdown
from nmebench.reports.render.text import DASH, adaptive_decimals
from nmebench.runs.run_store import Run
from nmebench.scoring.diverged import diverged_cells

__all__ = ["by_decoder_and_flip"]


def by_decoder_and_flip(folder: str, *, floors: str | None = None, averaged: str = "flip-coords") -> str:
    """NME over all faces, percent, of one network: a row for each decoder, a column for each flip test.

    Two columns show paired differences with their 95 % intervals: that of the decoder from the reference, both without
    a flip test, and that of one flip test from none, with the same decoder. The rows are in the order of the NME
    without a flip test; a decoder that diverged comes last.

    Args:
        folder: a committed run of one network and box, with ``differences.csv`` (``docs/tools/flip_table.py``).
        floors: a run of the oracle, whose NME without a flip test becomes the last column.
        averaged: the flip test of the second difference.

    Returns:
        A GitHub table.

    Raises:
        InputError: a file is missing or damaged.
    """
    run = Run.open(Path(folder))
    pairs = {(row["decoder"], row["flip"]): row for row in read_differences(Path(folder))}
    tests = {(row["decoder"], row["flip"]): row for row in run.score_rows() if row["subset"] == "test"}
    diverged = diverged_cells(run)
    flips = [flip for flip in FLIPS if any(flip == of_cell for _, of_cell in tests)]
    floor = _floors(floors) if floors else None
    order = sorted(
        dict.fromkeys(decoder for decoder, _ in tests),
        key=lambda name: (tests[name, "none"]["cell"] in diverged, float(tests[name, "none"]["nme"])),
    )
    rows = []
    try:
        for decoder in order:
            cells = [tests[decoder, flip] for flip in flips]
            words = [
                diverged[cell["cell"]].text if cell["cell"] in diverged else f"{cell['nme']:.3f}" for cell in cells
            ]
            lost = any(cell["cell"] in diverged for cell in cells)
            gains = [_difference(pairs.get((decoder, flip)), lost=lost) for flip in ("none", averaged)]
            rows.append([decoder, *words, *gains, *([floor.get(decoder, DASH)] if floor is not None else [])])
    except (KeyError, ValueError) as error:
        raise InputError(f"{folder}: differences.csv doesn't fit its scores ({error}); write it again") from error
    head = ["decoder", *("no flip test" if flip == "none" else flip for flip in flips)]
    head += ["decoder instead of argmax", f"{averaged} instead of none"]
    return markdown.table([*head, *(["floor"] if floor is not None else [])], rows, text_columns=1)


def _difference(pair: Mapping[str, str] | None, *, lost: bool) -> str:
    """A paired difference with its interval; a dash for the reference and for a decoder that diverged."""
    if pair is None or lost:
        return DASH
    return interval(pair)


def _floors(folder: str) -> dict[str, str]:
    """NME over all faces of the oracle without a flip test, by decoder."""
    rows = [row for row in Run.open(Path(folder)).score_rows() if row["subset"] == "test" and row["flip"] == "none"]
    return {row["decoder"]: f"{row['nme']:.{adaptive_decimals(float(row['nme']), 3)}f}" for row in rows}
