"""The paired differences beside a committed run."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from nmebench.errors import InputError
from nmebench.reports.committed_differences import COLUMNS, differences_csv, interval, read_differences
from nmebench.runs.run_store import Run
from nmebench.statistics import paired_difference

ROW = "net,dark,none,landmarks,9,net__argmax__none__landmarks,-0.5,-0.75,-0.25,0.01,better"


def test_each_row_is_the_paired_test_of_its_cells(make_run: Callable[..., Run]) -> None:
    cells = {("net", name, "none", "landmarks"): nme for name, nme in (("argmax", 5.0), ("dark", 4.0), ("top-k", 4.5))}
    run = make_run(cells)
    ids = [cell.id for cell in run.record.cells]
    pairs = [(ids[0], ids[1]), (ids[0], ids[2])]
    rows = list(csv.DictReader(io.StringIO(differences_csv(run, pairs))))
    assert [row["decoder"] for row in rows] == ["dark", "top-k"]
    for row, (base, cell) in zip(rows, pairs, strict=True):
        found = paired_difference(run.per_face[base], run.per_face[cell], run.faces.clusters)
        assert row["reference"] == base
        assert int(row["faces"]) == len(run.faces)
        assert float(row["difference"]) == pytest.approx(found.difference, abs=5e-6)
        assert (float(row["low"]), float(row["high"])) == pytest.approx((found.low, found.high), abs=5e-6)
        assert float(row["p_holm"]) >= found.p * 0.99


def test_a_difference_has_its_sign_and_interval(tmp_path: Path) -> None:
    (tmp_path / "differences.csv").write_text(f"{','.join(COLUMNS)}\n{ROW}\n")
    (row,) = read_differences(tmp_path)
    assert interval(row) == "-0.500 [-0.750, -0.250]"


@pytest.mark.parametrize("text", ["", ",".join(COLUMNS), "reference,model\nx,y\n", f"{','.join(COLUMNS)}\nnet,dark\n"])
def test_another_table_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "differences.csv").write_text(text)
    with pytest.raises(InputError, match=r"differences\.csv: not a table of differences") as caught:
        read_differences(tmp_path)
    assert "\n" not in str(caught.value)
