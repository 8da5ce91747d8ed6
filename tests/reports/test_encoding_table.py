"""The README's table of encodings."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from nmebench.errors import InputError
from nmebench.reports.encoding_table import by_encoding
from nmebench.runs.run_store import Run

RUN = Path(__file__).resolve().parents[2] / "docs" / "results" / "encodings"


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()][2:]


def test_the_table_has_the_stored_scores_and_differences() -> None:
    scores = {(r["model"], r["decoder"]): r for r in Run.open(RUN).score_rows() if r["subset"] == "test"}
    pairs = list(csv.DictReader((RUN / "differences.csv").open()))
    rows = _rows(by_encoding(str(RUN)))
    assert len(rows) == 1 + len(pairs)
    for row in rows:
        stored = scores[row[0], row[1]]
        assert row[2] == f"{stored['nme']:.3f} [{stored['nme_low']:.3f}, {stored['nme_high']:.3f}]"
    for row, pair in zip(rows[1:], pairs, strict=True):
        assert float(row[4].split()[0]) == pytest.approx(float(pair["difference"]), abs=0.0005)
        mean = scores[row[0], row[1]]["nme"] - scores[rows[0][0], rows[0][1]]["nme"]
        assert float(pair["difference"]) == pytest.approx(mean, abs=2e-5)


def test_differences_of_another_run_are_one_line(tmp_path: Path) -> None:
    for name in ("run.json", "scores.csv", "differences.csv"):
        shutil.copy(RUN / name, tmp_path / name)
    file = tmp_path / "differences.csv"
    file.write_text(file.read_text().replace("-udp,dark-udp", "-other,dark-udp"))
    with pytest.raises(InputError, match=r"differences\.csv doesn't fit its scores"):
        by_encoding(str(tmp_path))
