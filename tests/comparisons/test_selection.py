"""Tests of the arguments of ``nmebench compare``."""

from __future__ import annotations

import pytest

from nmebench.comparisons import select
from nmebench.errors import InputError
from nmebench.runs.cell_selection import find_cell

CELLS = [
    ("net", "dark", "none", "landmarks"),
    ("net", "dark:kernel=17", "none", "landmarks"),
    ("net", "dark", "flip", "landmarks"),
    ("net", "dark", "flip+shift", "landmarks"),
    ("net-dark", "argmax", "none", "pfld"),
]


@pytest.fixture
def run(make_run):
    return make_run(dict.fromkeys(CELLS, 4.0), name="run")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("net__dark__none__landmarks", 0, id="id"),
        pytest.param("dark:kernel=17", 1, id="decoder"),
        pytest.param("kernel=17", 1, id="part"),
        pytest.param("dark,none", 0, id="words"),
        pytest.param(" dark , flip ", 2, id="a complete name before a part"),
        pytest.param("dark,flip+shift", 3, id="flip"),
        pytest.param("net-dark", 4, id="model"),
        pytest.param("pfld", 4, id="box"),
    ],
)
def test_cell_is_found(run, text, number):
    assert find_cell(run, text) == run.record.cells[number]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("dark", "3 cells fit: net__dark__none__landmarks, net__dark__flip", id="ambiguous"),
        pytest.param("landmarks", "4 cells fit", id="shared"),
        pytest.param("drak", "no such cell; did you mean|no such cell; the run has", id="unknown"),
        pytest.param("", "no such cell", id="empty"),
        pytest.param(",", "no such cell", id="comma"),
    ],
)
def test_cell_is_not_found(run, text, message):
    with pytest.raises(InputError, match=message):
        find_cell(run, text)


def test_runs_are_opened_once(run, make_run):
    first, second, third = select([f"{run.path}:pfld", f"{run.path}/", f"{run.path}:kernel=17"])
    assert first.run is second.run is third.run
    assert (first.cell, second.cell, third.cell) == (run.record.cells[4].id, None, run.record.cells[1].id)


def test_folder_with_a_colon(make_run):
    run = make_run(dict.fromkeys(CELLS, 4.0), name="run:1")
    assert select([f"{run.path}:pfld"])[0].cell == run.record.cells[4].id
    assert select([str(run.path)])[0].cell is None


@pytest.mark.parametrize("name", ["missing", "missing:dark", "x" * 300, "a\0b"])
def test_missing_run(tmp_path, name):
    with pytest.raises(InputError):
        select([str(tmp_path / name)])
