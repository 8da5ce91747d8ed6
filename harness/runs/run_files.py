"""Reads and writes the parts of a run folder.

A missing or damaged file becomes one line that names it and the way out; a file is written completely or not at all.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from nmebench.bounded_read import read_bounded, read_json
from nmebench.datasets.readers.arrays import NpyRows, read_npy
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.metric_names import metric_names
from nmebench.printable import shown
from nmebench.runs.cell_id import is_cell_id
from nmebench.runs.run_record import RunRecord

__all__ = [
    "LARGEST",
    "MOST_ROWS",
    "check_record",
    "damaged",
    "exists",
    "open_array",
    "read_array",
    "read_record",
    "read_scores",
    "read_stored_json",
    "way_out",
    "write_array",
    "write_stored_json",
]

LARGEST: Final = 8 * 2**30
"""Bytes of the largest file of a run that is read."""

MOST_ROWS: Final = 100_000_000
"""Rows of the longest table that is read."""

#: Columns of ``scores.csv``: pandas needs quadratic time to tell many equal names apart.
_MOST_COLUMNS: Final = 1000

_SCORE_TEXTS: Final = ("dataset", "subset", "model", "decoder", "flip", "box", "normaliser", "cell")

#: What can be done about a part that can't be read; other parts need the sweep.
_WAYS_OUT: Final[Mapping[str, str]] = {
    "per_face.parquet": "write it again with `nmebench score {run}`",
    "scores.csv": "write it again with `nmebench score {run}`",
    "diverged.json": "write it again with `nmebench score {run}`",
    "verdict.json": "write it again with `nmebench check {run}`",
    "thumbnails.parquet": "leave the pictures out with `nmebench report {run} --no-pictures`, or repeat the sweep with "
    "--overwrite",
    "timings.json": "remove the file; no score depends on it",
}
_REPEAT: Final = (
    "restore it from a backup, or repeat the command that made the run with --overwrite; scoring can't replace it"
)


def way_out(run: Path, name: str) -> str:
    """Return what can be done about a part of a run that can't be read."""
    return _WAYS_OUT.get(name, _REPEAT).format(run=shown(run))


def damaged(run: Path, name: str, why: str) -> InputError:
    """Return the error for a damaged part of a run.

    Args:
        run: the run folder.
        name: path of the file in the folder.
        why: the damage.

    Example:
        >>> print(damaged(Path("RUN"), "scores.csv", "has no column 'nme'"))
        RUN/scores.csv: damaged (has no column 'nme'); write it again with `nmebench score RUN`
    """
    reason = (why.strip().splitlines() or ["no reason given"])[0][:200]
    return InputError(f"{shown(run / name)}: damaged ({shown(reason)}); {way_out(run, name)}")


def _read(run: Path, name: str) -> bytes:
    try:
        return read_bounded(run / name, LARGEST)
    except InputError as error:
        raise InputError(f"{error}; {way_out(run, name)}") from error


def read_record(run: Path) -> Any:
    """Return the content of ``run.json``.

    Raises:
        InputError: the file can't be read or is not JSON.
    """
    try:
        return read_json(run / "run.json", errors="surrogateescape")
    except InputError as error:
        raise InputError(f"{error}; {_REPEAT}") from error


def read_stored_json(run: Path, name: str) -> Any | None:
    """Return the content of a JSON file of a run; None where it is missing.

    Raises:
        InputError: the file can't be read or is not JSON.
    """
    if not (run / name).exists():
        return None
    try:
        return read_json(run / name, errors="surrogateescape")
    except InputError as error:
        raise InputError(f"{error}; {way_out(run, name)}") from error


def read_array(run: Path, name: str, shape: Sequence[int]) -> np.ndarray:
    """Return an array of a run, float32 of the given shape; -1 stands for any length.

    Raises:
        InputError: the file can't be read or holds something else.
    """
    try:
        array = read_npy(run / name)
    except InputError as error:
        raise InputError(f"{error}; {way_out(run, name)}") from error
    _check_form(run, name, array.dtype, array.shape, shape)
    return array


def open_array(run: Path, name: str, shape: Sequence[int]) -> NpyRows:
    """Open an array of a run to read some of its rows; see :func:`read_array`.

    Raises:
        InputError: the file can't be read or holds something else.
    """
    try:
        rows = NpyRows(run / name, LARGEST)
    except InputError as error:
        raise InputError(f"{error}; {way_out(run, name)}") from error
    with ExitStack() as stack:
        stack.push(rows)
        _check_form(run, name, rows.dtype, rows.shape, shape)
        stack.pop_all()
    return rows


def _check_form(run: Path, name: str, dtype: np.dtype[Any], found: Sequence[int], shape: Sequence[int]) -> None:
    fits = len(found) == len(shape) and all(n in (-1, m) for n, m in zip(shape, found, strict=True))
    if not fits or dtype.kind != "f":
        expected = ", ".join("K" if n < 0 else str(n) for n in shape)
        raise damaged(run, name, f"holds {dtype} {list(found)}, expected floats [{expected}]")


def _score_numbers(thresholds: Iterable[float]) -> tuple[str, ...]:
    """The columns of numbers of ``scores.csv``."""
    names = metric_names(thresholds)
    scores = (f"{name}{end}" for name in names for end in ("", "_low", "_high"))
    return (*scores, "faces", *(f"{name}_count" for name in names if name.startswith("fr")))


def read_scores(run: Path, cells: Sequence[str], thresholds: Iterable[float]) -> pd.DataFrame:
    """Return the table ``scores.csv``.

    Args:
        run: the run folder.
        cells: ids of the run's cells; each must have a row for the subset ``test``.
        thresholds: those of the run, percent, which name the columns of FR and AUC.

    Raises:
        InputError: the file can't be read, lacks a column or a cell, or a number is not finite.
    """
    name = "scores.csv"
    data = _read(run, name)
    columns = data.partition(b"\n")[0].count(b",") + 1
    if columns > _MOST_COLUMNS:
        raise damaged(run, name, f"has {columns} columns")
    try:
        texts = dict.fromkeys(_SCORE_TEXTS, str)
        table = pd.read_csv(io.BytesIO(data), keep_default_na=False, na_values=[""], dtype=texts)
    except (ValueError, OverflowError, MemoryError) as error:  # pandas' parser errors are ValueErrors
        raise damaged(run, name, str(error)) from error
    numbers = _score_numbers(thresholds)
    for column in (*_SCORE_TEXTS, *numbers):
        if column not in table:
            raise damaged(run, name, f"has no column {column!r}")
    for column in numbers:
        if len(table) and table[column].dtype.kind not in "fi":
            raise damaged(run, name, f"column {column!r} holds text")
        if not column.endswith(("_low", "_high")) and not np.isfinite(table[column].astype(float)).all():
            raise damaged(run, name, f"column {column!r} lacks a number")
    if table["cell"].isna().any() or table["subset"].isna().any():
        raise damaged(run, name, "a row names no cell or no subset")
    found = set(table.loc[table["subset"] == "test", "cell"])
    lacking = next((cell for cell in cells if cell not in found), None)
    if lacking is not None:
        raise damaged(run, name, f"has no row for all faces of the cell {lacking}")
    return table


def write_array(run: Path, name: str, array: np.ndarray) -> None:
    """Write an array of a run as float32.

    Args:
        run: the run folder; it must exist, and so must the file's folder.
        name: path of the file in the folder.
        array: the content.
    """
    sink = io.BytesIO()
    np.save(sink, np.ascontiguousarray(array, np.float32), allow_pickle=False)
    write_atomically(run / name, sink.getvalue())


def write_stored_json(run: Path, name: str, value: Any) -> None:
    """Write a JSON file of a run.

    Args:
        run: the run folder; it must exist.
        name: path of the file in the folder.
        value: the content.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False)
    write_atomically(run / name, text + "\n")


def exists(path: Path) -> bool:
    """Return whether there is something at a path; False for one that the file system can't have."""
    try:
        return path.exists()
    except OSError:  # too long, or a loop of links
        return False


def check_record(path: Path, record: RunRecord) -> None:
    """Refuse a record whose parts don't fit each other.

    Args:
        path: the run folder.
        record: the content of ``run.json``.

    Raises:
        InputError: an id is not a file name, or a cell or model is there twice or without its record.
    """
    if not 0 <= record.dataset.faces <= MOST_ROWS:
        raise damaged(path, "run.json", f"dataset.faces is {record.dataset.faces:.3g}")
    models = {model.name for model in record.models}
    seen: set[str] = set()
    for cell in record.cells:
        why = None
        if not is_cell_id(cell.id):
            why = f"cell id {cell.id[:80]!r} is not a file name"
        elif cell.id in seen:
            why = f"cell {cell.id} is there twice"
        elif cell.model not in models:
            why = f"cell {cell.id} names the model {cell.model[:80]!r}, which has no record"
        if why is not None:
            raise damaged(path, "run.json", why)
        seen.add(cell.id)
    if len(models) != len(record.models):
        raise damaged(path, "run.json", "a model is there twice")
