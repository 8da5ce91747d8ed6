"""The committed table: expected results of the embedded benchmark with a tolerance for each number.

The tolerances are measured by ``docs/tools/measure_tolerances.py``: a multiple of the largest difference between runs
with different thread counts, batch sizes and engines.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from nmebench.checks import Status, VerdictRow
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.runs.run_store import Run

__all__ = ["EXPECTED", "TABLE", "ExpectedCell", "check_expected", "read_expected", "write_expected"]

#: Path of the committed table.
EXPECTED = Path(str(resources.files("nmebench.reproduction"))) / "expected.csv"

#: Name of the table in a verdict.
TABLE = "nmebench, committed"

_KEY = ("model", "decoder", "flip", "box", "subset")
_SOURCE = "harness/reproduction/expected.csv"


@dataclass(frozen=True)
class ExpectedCell:
    """Expected NME of a cell on a subset (percent) and its tolerance (percent points)."""

    model: str
    decoder: str
    flip: str
    box: str
    subset: str
    faces: int
    nme: float
    tolerance: float

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """The values of a row of ``scores.csv`` that identify it."""
        return (self.model, self.decoder, self.flip, self.box, self.subset)


def read_expected(models: Sequence[str] | None = None, *, path: Path = EXPECTED) -> list[ExpectedCell]:
    """Read the committed table.

    Args:
        models: the networks whose rows to return; by default all.
        path: the table.

    Raises:
        InputError: the file is missing, a row can't be parsed, or the table has no row of a requested network.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: can't be read ({error.strerror}); reinstall nmebench, or write the file with "
            "`python docs/tools/measure_tolerances.py -o FOLDER` in a checkout"
        ) from error
    rows = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        try:
            rows.append(
                ExpectedCell(
                    row["model"], row["decoder"], row["flip"], row["box"], row["subset"],
                    int(row["faces"]), float(row["nme"]), float(row["tolerance"]),
                )
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}:{number}: not a row of the expected table ({error}); restore the file") from error
    if models is None:
        return rows
    known = {row.model for row in rows}
    for model in models:
        if model not in known:
            raise InputError(f"{path}: has no row of {model!r}, only of {', '.join(sorted(known))}; restore the file")
    return [row for row in rows if row.model in models]


def write_expected(rows: Iterable[ExpectedCell], path: Path = EXPECTED) -> None:
    """Write the committed table, with 5 decimals."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["model", "decoder", "flip", "box", "subset", "faces", "nme", "tolerance"])
    for row in rows:
        writer.writerow([*row.key, row.faces, f"{row.nme:.5f}", f"{row.tolerance:.5f}"])
    write_atomically(path, sink.getvalue())


def check_expected(run: Run, expected: Sequence[ExpectedCell]) -> list[VerdictRow]:
    """Compare a run with the expected results; returns one verdict row per expected number.

    Raises:
        InputError: the run isn't scored.
    """
    scores = {tuple(row[name] for name in _KEY): row for row in run.score_rows()}
    result = []
    for cell in expected:
        row = scores.get(cell.key)
        low, high = cell.nme - cell.tolerance, cell.nme + cell.tolerance
        measured = None if row is None else float(row["nme"])
        status: Status
        if row is None or measured is None:
            status, reason = "not run", f"this run has no cell {' '.join(cell.key[:4])}"
        elif int(row["faces"]) != cell.faces:
            status, reason = "not comparable", f"{int(row['faces'])} of {cell.faces} faces"
        elif low <= measured <= high:
            status, reason = "reproduced", "within the measured tolerance"
        else:
            status, reason = "deviates", f"{measured - cell.nme:+.5f} points"
        result.append(
            VerdictRow(
                model=cell.model,
                dataset=run.record.dataset.name,
                table=TABLE,
                metric="nme",
                subset=cell.subset,
                cell=None if row is None else str(row["cell"]),
                reported=cell.nme,
                reported_text=f"{cell.nme:.5f}",
                measured=measured,
                difference=None if measured is None else measured - cell.nme,
                low=low,
                high=high,
                allowed=f"{cell.nme:.5f} ± {cell.tolerance:.5f} ({cell.decoder}, {cell.flip})",
                status=status,
                reason=reason,
                source=_SOURCE,
            )
        )
    return result
