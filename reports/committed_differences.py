"""The paired differences beside a committed run (``differences.csv``), which has no landmarks to compute them from."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.runs.run_store import Run
from nmebench.statistics import paired_with_holm

__all__ = ["COLUMNS", "differences_csv", "interval", "read_differences"]

COLUMNS = ("model", "decoder", "flip", "box", "faces", "reference", "difference", "low", "high", "p_holm", "outcome")
"""Columns of ``differences.csv``: difference and interval are percent points of NME."""

_MAX_BYTES = 1 << 20


def differences_csv(run: Run, pairs: Sequence[tuple[str, str]]) -> str:
    """Return the paired differences of a run's cells on all faces, as csv.

    Args:
        run: a scored run with its landmarks.
        pairs: ids of (reference, cell); p is adjusted by Holm's procedure over all of them.
    """
    cells = {cell.id: cell for cell in run.record.cells}
    per_face = run.per_face
    found = paired_with_holm([(per_face[base], per_face[cell]) for base, cell in pairs], run.faces.clusters)
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(COLUMNS)
    for (base, cell_id), pair in zip(pairs, found, strict=True):
        cell = cells[cell_id]
        numbers = (f"{value:.5f}" for value in (pair.difference, pair.low, pair.high))
        names = (cell.model, cell.decoder, cell.flip, cell.box)
        writer.writerow([*names, len(run.faces), base, *numbers, f"{pair.p_holm:.3g}", pair.outcome])
    return sink.getvalue()


def read_differences(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a committed run's ``differences.csv``.

    Raises:
        InputError: the file is missing, too large, empty, or has other columns.
    """
    path = folder / "differences.csv"
    text = read_bounded(path, _MAX_BYTES, kind="table of differences").decode("utf-8", "replace")
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or any(tuple(row) != COLUMNS or None in row.values() for row in rows):
        raise InputError(f"{path}: not a table of differences with the columns {', '.join(COLUMNS)}; write it again")
    return rows


def interval(row: Mapping[str, str]) -> str:
    """Return a difference with its interval, such as ``-0.035 [-0.124, +0.054]``.

    Raises:
        ValueError: a value is not a number.
    """
    number, low, high = (f"{float(row[name]):+.3f}" for name in ("difference", "low", "high"))
    return f"{number} [{low}, {high}]"
