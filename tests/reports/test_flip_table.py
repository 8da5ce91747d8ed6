"""The table of decoders and flip tests, and the committed runs that it is made from."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from nmebench.protocol import FLIPS
from nmebench.reports.flip_table import by_decoder_and_flip
from nmebench.reports.tables import block_content, markdown_source, scores_link, source_line
from nmebench.runs.run_store import Run

ROOT = Path(__file__).resolve().parents[2]
RUNS = [ROOT / "docs/results" / name for name in ("h3r-wflw-sample", "h3r-wflw-sample-authors-crop")]
FLOORS = ROOT / "docs/results/wflw-floors"


def rows_of(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()][2:]


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_the_table_has_the_stored_scores_and_differences(folder: Path) -> None:
    tests = {(r["decoder"], r["flip"]): r for r in Run.open(folder).score_rows() if r["subset"] == "test"}
    pairs = {(r["decoder"], r["flip"]): r for r in csv.DictReader((folder / "differences.csv").open())}
    rows = rows_of(by_decoder_and_flip(str(folder), floors=str(FLOORS)))
    assert {row[0] for row in rows} == {decoder for decoder, _ in tests}
    assert len(pairs) == len(tests) - 1
    for (decoder, flip), pair in pairs.items():
        base = tests["argmax" if flip == "none" else decoder, "none"]
        assert pair["reference"] == base["cell"]
        mean = tests[decoder, flip]["nme"] - base["nme"]
        assert float(pair["difference"]) == pytest.approx(mean, abs=2e-5)
        assert float(pair["low"]) <= float(pair["difference"]) <= float(pair["high"])
    for row in rows[:-1]:
        assert row[1:6] == [f"{tests[row[0], flip]['nme']:.3f}" for flip in FLIPS]
        assert row[6] == "–" or float(row[6].split()[0]) == pytest.approx(
            float(pairs[row[0], "none"]["difference"]), abs=5e-4
        )
        assert float(row[7].split()[0]) == pytest.approx(float(pairs[row[0], "flip-coords"]["difference"]), abs=5e-4)
    assert rows[-1][0] == "soft-argmax"
    assert all(re.fullmatch(r"diverged on \d+ faces", cell) for cell in rows[-1][1:6])
    assert rows[-1][6:8] == ["–", "–"]


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_the_committed_runs_hold_no_photographs_landmarks_or_paths(folder: Path) -> None:
    tables = {"scores.csv", "differences.csv", "offsets.csv"}
    assert {file.name for file in folder.iterdir()} == {"run.json", "diverged.json", *tables}
    assert all(len((folder / name).read_text().splitlines()) < 500 for name in tables)  # no row per face
    text = (folder / "run.json").read_text()
    assert not re.search(r'"/|[A-Z]:\\\\|home|/tmp', text)
    assert ".jpg" not in text
    assert json.loads(text)["dataset"]["coverage"] == "143 of 2500 faces"


@pytest.mark.parametrize(
    ("run", "document", "section"),
    [(0, "README.md", "h3r"), (0, "docs/decoders.md", "h3r"), (1, "docs/decoders.md", "h3r-authors")],
)
def test_the_tables_of_the_documents_are_up_to_date(
    monkeypatch: pytest.MonkeyPatch, run: int, document: str, section: str
) -> None:
    monkeypatch.chdir(ROOT)
    folder = RUNS[run].relative_to(ROOT).as_posix()
    source = markdown_source(source_line(Run.open(Path(folder)), "nme"), scores_link(Path(folder), Path(document)))
    expected = f"{by_decoder_and_flip(folder, floors='docs/results/wflw-floors')}\n\n{source}\n"
    assert block_content((ROOT / document).read_text("utf-8"), section, document) == expected
