"""The README's table of encodings, made from a committed run and its paired differences (`nox -s readme`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nmebench.errors import InputError
from nmebench.reports.committed_differences import interval, read_differences
from nmebench.reports.render import markdown
from nmebench.reports.render.text import DASH
from nmebench.runs.run_store import Run

__all__ = ["by_encoding"]

_CELL = ("model", "decoder", "flip", "box")


def by_encoding(folder: str) -> str:
    """NME over all faces, percent, of networks that differ in their encoding, each with decoders made for it.

    The last two columns are the paired difference from the reference, with its 95 % interval and Holm-adjusted p.

    Args:
        folder: a committed run with ``differences.csv`` (``docs/tools/encoding_table.py``).

    Returns:
        A GitHub table; the reference is its first row.

    Raises:
        InputError: a file is missing or damaged.
    """
    run = Run.open(Path(folder))
    differences = read_differences(Path(folder))
    tests = [row for row in run.score_rows() if row["subset"] == "test"]
    argmax = {row["model"]: float(row["nme"]) for row in tests if row["decoder"] == "argmax"}
    try:
        (reference,) = (row for row in tests if row["cell"] == differences[0]["reference"])
        rows = [[*_scores(reference, argmax), DASH, DASH]]
        for pair in differences:
            (test,) = (row for row in tests if all(row[name] == pair[name] for name in _CELL))
            rows.append([*_scores(test, argmax), interval(pair), f"{float(pair['p_holm']):.2g}"])
    except ValueError as error:
        raise InputError(f"{folder}: differences.csv doesn't fit its scores ({error}); write it again") from error
    head = ["network", "decoder", "test", "argmax", "difference from the first row", "p"]
    return markdown.table(head, rows, text_columns=2)


def _scores(row: Mapping[str, Any], argmax: Mapping[str, float]) -> list[str]:
    """Names and scores of a cell, and the score of argmax on the same maps where there are any."""
    plain = argmax.get(row["model"])
    test = f"{row['nme']:.3f} [{row['nme_low']:.3f}, {row['nme_high']:.3f}]"
    return [row["model"], row["decoder"], test, DASH if plain is None else f"{plain:.3f}"]
