"""The README's table of encodings, made from a committed run and its paired differences (`nox -s readme`)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.reports.render import markdown
from nmebench.reports.render.text import DASH
from nmebench.runs.run_store import Run

__all__ = ["by_encoding"]

_MAX_BYTES = 1 << 20
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
    path = Path(folder) / "differences.csv"
    differences = list(
        csv.DictReader(io.StringIO(read_bounded(path, _MAX_BYTES, kind="table of differences").decode()))
    )
    tests = [row for row in run.score_rows() if row["subset"] == "test"]
    argmax = {row["model"]: float(row["nme"]) for row in tests if row["decoder"] == "argmax"}
    try:
        (reference,) = (row for row in tests if row["cell"] == differences[0]["reference"])
        rows = [[*_scores(reference, argmax), DASH, DASH]]
        for pair in differences:
            (test,) = (row for row in tests if all(row[name] == pair[name] for name in _CELL))
            number, low, high = (f"{float(pair[name]):+.3f}" for name in ("difference", "low", "high"))
            rows.append([*_scores(test, argmax), f"{number} [{low}, {high}]", f"{float(pair['p_holm']):.2g}"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a table of differences of the run ({error!r}); write it again") from error
    head = ["network", "decoder", "test", "argmax", "difference from the first row", "p"]
    return markdown.table(head, rows, text_columns=2)


def _scores(row: Mapping[str, Any], argmax: Mapping[str, float]) -> list[str]:
    """Names and scores of a cell, and the score of argmax on the same maps where there are any."""
    plain = argmax.get(row["model"])
    test = f"{row['nme']:.3f} [{row['nme_low']:.3f}, {row['nme_high']:.3f}]"
    return [row["model"], row["decoder"], test, DASH if plain is None else f"{plain:.3f}"]
