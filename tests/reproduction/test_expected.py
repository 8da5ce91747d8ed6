"""The committed table and the comparison of a run with it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from nmebench.errors import InputError
from nmebench.reproduction import ExpectedCell, check_expected, read_expected, write_expected
from nmebench.runs.run_store import Run

CELL = ExpectedCell("net", "dark", "none", "landmarks", "test", 500, 4.0, 0.25)


class _Run:
    """A stand-in with the parts of a run that :func:`check_expected` reads."""

    def __init__(self, **row: Any) -> None:
        names = {"model": "net", "decoder": "dark", "flip": "none", "box": "landmarks", "subset": "test", "cell": "c"}
        self._rows = [names | {"faces": 500, "nme": 4.0} | row]
        self.record = SimpleNamespace(dataset=SimpleNamespace(name="synthface"))

    def score_rows(self) -> list[dict[str, Any]]:
        return self._rows


def _status(expected: ExpectedCell = CELL, **row: Any) -> str:
    (found,) = check_expected(cast(Run, _Run(**row)), [expected])
    return found.status


@pytest.mark.parametrize(
    ("nme", "status"),
    [
        (4.0, "reproduced"),
        (3.75, "reproduced"),
        (4.25, "reproduced"),
        (3.7499, "deviates"),
        (4.2501, "deviates"),
    ],
)
def test_both_ends_of_the_tolerance_count_as_reproduced(nme: float, status: str) -> None:
    assert _status(nme=nme) == status


def test_another_number_of_faces_is_not_comparable() -> None:
    assert _status(faces=499, nme=9.0) == "not comparable"


@pytest.mark.parametrize(
    "other",
    [{"model": "m"}, {"decoder": "argmax"}, {"flip": "flip"}, {"box": "pfld"}, {"subset": "pose"}],
    ids=lambda o: next(iter(o)),
)
def test_a_cell_that_differs_in_one_name_is_not_run(other: dict[str, str]) -> None:
    assert _status(**other) == "not run"


def test_the_difference_has_its_sign() -> None:
    (found,) = check_expected(cast(Run, _Run(nme=4.5)), [CELL])
    assert found.difference == 0.5
    assert found.reason == "+0.50000 points"


def test_a_written_table_reads_back_the_same(tmp_path: Path) -> None:
    cells = [CELL, ExpectedCell("other", "argmax", "flip+shift", "pfld", "pose", 65, 6.12345, 0.0005)]
    write_expected(cells, tmp_path / "table.csv")
    assert read_expected(path=tmp_path / "table.csv") == cells
    assert read_expected(["other"], path=tmp_path / "table.csv") == cells[1:]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,decoder\na,b\n", "table.csv:2: not a row of the expected table"),
        ("model,decoder,flip,box,subset,faces,nme,tolerance\na,b,c,d,e,5,x,1\n", "table.csv:2: not a row"),
        ("model,decoder,flip,box,subset,faces,nme,tolerance\na,b,c,d,e,5,1,1\n", "has no row of 'net', only of a"),
    ],
    ids=["columns", "number", "network"],
)
def test_a_damaged_table_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_expected(["net"], path=tmp_path / "table.csv")
    assert "\n" not in str(caught.value)


def test_a_missing_table_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"measure_tolerances\.py"):
        read_expected(path=tmp_path / "none.csv")
