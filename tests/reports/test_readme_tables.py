"""The README's tables from committed runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmebench.reports import readme_tables
from nmebench.runs.run_store import Run

ROOT = Path(__file__).resolve().parents[2]
RUN = str(ROOT / "docs" / "results" / "synthface")
FLOORS = str(ROOT / "docs" / "results" / "wflw-floors")


def _cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_by_subset_has_the_stored_scores() -> None:
    rows = _cells(readme_tables.by_subset(RUN, decoders=["dark", "no-such-decoder"], flip="none"))
    stored = {(r["model"], r["subset"]): r for r in Run.open(Path(RUN)).score_rows() if r["decoder"] == "dark"
              and r["flip"] == "none"}  # fmt: skip
    assert len(rows) == 2 + 3
    for model, decoder, test, pose, *_ in rows[2:]:
        assert decoder == "dark"
        row = stored[model, "test"]
        assert test == f"{row['nme']:.3f} [{row['nme_low']:.3f}, {row['nme_high']:.3f}]"
        assert pose == f"{stored[model, 'pose']['nme']:.3f}"


def test_by_decoder_is_ordered_by_the_first_network() -> None:
    rows = _cells(readme_tables.by_decoder(RUN, flip="none", floors=FLOORS))[2:]
    values = [float(row[1]) for row in rows]
    assert values == sorted(values)
    assert all(len(row) == 5 for row in rows)


@pytest.mark.parametrize(
    ("nme", "text"), [(121188.0, "1e+05"), (3.98, "3.980"), (0.0812, "0.0812"), (None, "–")], ids=str
)
def test_decimals_follow_the_size(nme: float | None, text: str) -> None:
    assert readme_tables._nme(None if nme is None else {"nme": nme}) == text


def test_provenance_line_links_the_scores() -> None:
    line = readme_tables.provenance_line(RUN)
    assert line.startswith("500 faces of synthface, 54 cells, inter-ocular NME in percent; torch ")
    assert line.endswith(f"scores: [{RUN}/scores.csv]({RUN}/scores.csv)")
