"""The committed table: what the embedded benchmark gave, and how far a faithful run may be from it.

The tolerance of each number is measured (:mod:`measure_tolerances`), not chosen: the largest difference
between runs with other thread counts, batch sizes and engines, with a factor on top.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from nmebench.check import Status, VerdictRow
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.runs.run_store import Run

__all__ = ["EXPECTED", "TABLE", "ExpectedCell", "compare", "read_expected", "write_expected"]

#: The committed table, beside this file.
EXPECTED = Path(str(resources.files("nmebench.reproduction"))) / "expected.csv"

#: The table's name in a verdict.
TABLE = "nmebench, committed"

_KEY = ("model", "decoder", "flip", "box", "subset")
_SOURCE = "harness/reproduction/expected.csv"


@dataclass(frozen=True)
class ExpectedCell:
    """NME of a cell on a subset, percent, and how far a faithful run may be from it, percent points."""

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
        """What a measured row must have to be compared."""
        return (self.model, self.decoder, self.flip, self.box, self.subset)


def read_expected(path: Path = EXPECTED) -> list[ExpectedCell]:
    """The committed rows.

    Raises:
        InputError: the file is missing or a row can't be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: can't be read ({error.strerror}); make it with `nmebench reproduce --update`"
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
    return rows


def write_expected(rows: Iterable[ExpectedCell], path: Path = EXPECTED) -> None:
    """Replace the committed table; NME to 5 decimals, tolerances to 5."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["model", "decoder", "flip", "box", "subset", "faces", "nme", "tolerance"])
    for row in rows:
        writer.writerow([*row.key, row.faces, f"{row.nme:.5f}", f"{row.tolerance:.5f}"])
    write_atomically(path, sink.getvalue())


def compare(run: Run, expected: Sequence[ExpectedCell]) -> list[VerdictRow]:
    """A verdict row for every expected number: reproduced, deviates, not comparable, or not run."""
    scores = {tuple(row[name] for name in _KEY): row for row in run.score_rows()}
    result = []
    for want in expected:
        row = scores.get(want.key)
        low, high = want.nme - want.tolerance, want.nme + want.tolerance
        measured = None if row is None else float(row["nme"])
        status: Status
        if row is None or measured is None:
            status, reason = "not run", f"this run has no cell {' '.join(want.key[:4])}"
        elif int(row["faces"]) != want.faces:
            status, reason = "not comparable", f"{int(row['faces'])} of {want.faces} faces"
        elif low <= measured <= high:
            status, reason = "reproduced", "within the measured tolerance"
        else:
            status, reason = "deviates", f"{measured - want.nme:+.5f} points"
        result.append(
            VerdictRow(
                model=want.model,
                dataset=run.record.dataset.name,
                table=TABLE,
                metric="nme",
                subset=want.subset,
                cell=None if row is None else str(row["cell"]),
                reported=want.nme,
                reported_text=f"{want.nme:.5f}",
                measured=measured,
                difference=None if measured is None else measured - want.nme,
                low=low,
                high=high,
                allowed=f"{want.nme:.5f} ± {want.tolerance:.5f} ({want.decoder}, {want.flip})",
                status=status,
                reason=reason,
                source=_SOURCE,
            )
        )
    return result
