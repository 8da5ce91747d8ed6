"""Tables of a run: the numbers are those of ``scores.csv``; selections choose and order the rows."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.reports.tables import Selection, TableOptions, Value, make_table
from nmebench.runs.run_store import Run

ROOT = Path(__file__).resolve().parents[3]
RUN = ROOT / "docs" / "results" / "synthface"
FLOORS = ROOT / "docs" / "results" / "wflw-floors"


def stored(folder: Path) -> dict[tuple[str, str, str, str], dict[str, str]]:
    """The rows of ``scores.csv``, read without nmebench."""
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        return {(row["model"], row["decoder"], row["flip"], row["subset"]): row for row in csv.DictReader(file)}


def table(folder: Path = RUN, **options):
    selection = {name: options.pop(name) for name in list(options) if name in Selection.__dataclass_fields__}
    return make_table(Run.open(folder), TableOptions(selection=Selection(**selection), **options))


@pytest.mark.parametrize(("metric", "decimals"), [("nme", 3), ("fr10", 2), ("auc10", 4)])
def test_rows_have_the_stored_scores(metric, decimals):
    found = table(metric=metric, decoders=("dark",), flips=("flip+shift",))
    scores = stored(RUN)
    assert [column.name for column in found.columns[:3]] == ["network", "decoder", "test (500)"]
    assert len(found.rows) == 3
    for model, decoder, test, pose, *_ in found.rows:
        assert decoder == "dark"
        row = scores[model, "dark", "flip+shift", "test"]
        assert test.text == f"{float(row[metric]):.{decimals}f}"
        assert test.interval == tuple(f"{float(row[f'{metric}_{end}']):.{decimals}f}" for end in ("low", "high"))
        assert pose.text == f"{float(scores[model, 'dark', 'flip+shift', 'pose'][metric]):.{decimals}f}"
        assert pose.interval is None, "only the first column has intervals"


def test_selection_orders_the_rows_and_columns():
    found = table(
        models=("synthface-resnet10-deconv", "synthface-hrnet*"),
        decoders=("quarter-offset", "argmax"),
        flips=("flip+shift", "none"),
        subsets=("blur", "test"),
        labels=("flip", "decoder", "network"),
        intervals="none",
        decimals=1,
    )
    assert [row[:3] for row in found.rows][:5] == [
        ("flip+shift", "quarter-offset", "synthface-resnet10-deconv"),
        ("none", "quarter-offset", "synthface-resnet10-deconv"),
        ("flip+shift", "argmax", "synthface-resnet10-deconv"),
        ("none", "argmax", "synthface-resnet10-deconv"),
        ("flip+shift", "quarter-offset", "synthface-hrnet-small"),
    ]
    assert [column.name for column in found.columns[3:]] == ["blur (155)", "test (500)"]
    assert found.rows[0][3].text == "6.3"
    assert not any(column.interval for column in found.columns)


def test_columns_of_text_are_those_that_differ():
    assert [c.name for c in table(flips=("none",)).columns if not c.numeric] == ["network", "decoder"]
    assert [c.name for c in table().columns if not c.numeric] == ["network", "decoder", "flip"]
    cell = Run.open(RUN).record.cells[5]
    assert table(cells=(cell.id,)).rows[0][:2] == (cell.model, cell.decoder)


def test_decoders_are_ordered_by_the_first_network_and_diverged_ones_are_last():
    found = make_table(
        Run.open(RUN),
        TableOptions(layout="decoders", selection=Selection(flips=("none",))),
        floor=Run.open(FLOORS),
    )
    first = [row[1] for row in found.rows]
    numbers = [value.value for value in first if not value.word]
    assert numbers == sorted(numbers)
    assert [row[0] for row in found.rows][-1] == "barycentre"
    assert first[-1].text == "diverged on 8 faces"
    assert found.columns[-1].name == "floor: perfect maps on wflw-geometry (2168 faces)"
    floors = stored(FLOORS)
    for row in found.rows:
        assert row[-1].value == float(floors["oracle", row[0], "none", "test"]["nme"])


def test_auc_is_ordered_from_the_largest():
    found = table(layout="decoders", metric="auc10", flips=("none",))
    numbers = [row[1].value for row in found.rows if not row[1].word]
    assert numbers == sorted(numbers, reverse=True)


def test_a_diverged_cell_shows_the_word_instead_of_its_number(make_run, small_faces):
    nme = np.full(len(small_faces), 4.0)
    nme[7] = 3e6
    run = make_run({("net", "dark", "none", "landmarks"): 4.0, ("net", "barycentre", "none", "landmarks"): nme})
    good, bad = (row[2] for row in make_table(run).rows)
    assert good.text.startswith("4.000")
    assert (bad.text, bad.interval) == ("diverged on 1 face", None)


def test_decoders_of_another_grid_are_labelled_and_last(make_run):
    run = make_run({("net", "dark", "none", "x"): 4.0, ("net", "dark-udp", "none", "x"): 3.0})
    cells = [cell.model_copy(update={"mixed": cell.decoder == "dark-udp"}) for cell in run.record.cells]
    object.__setattr__(run, "record", run.record.model_copy(update={"cells": cells}))
    rows = make_table(run, TableOptions(layout="decoders")).rows
    assert [row[0] for row in rows] == ["dark", "dark-udp (other grid)"]


def test_oracle_is_shown_only_when_it_is_named(make_run):
    run = make_run({("net", "dark", "none", "x"): 4.0, ("oracle", "dark", "none", "x"): 0.001})
    assert [row[0] for row in make_table(run).rows] == ["net"]
    options = TableOptions(selection=Selection(models=("oracle",)))
    assert [row[0] for row in make_table(run, options).rows] == ["oracle"]


@pytest.mark.parametrize(
    ("value", "text"), [(3.98, "3.980"), (0.0812, "0.081"), (0.00081, "0.00081"), (1234.5, "1234.500")], ids=str
)
def test_decimals_keep_two_significant_digits(make_run, value, text):
    run = make_run({("net", "dark", "none", "x"): 4.0})
    run.__dict__["scores"] = run.scores.assign(nme=value)
    assert make_table(run).rows[0][2].text == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"decoders": ("drak",)}, "--decoder 'drak': matches no cell .* mean 'dark'", id="decoder"),
        pytest.param({"models": ("x",)}, "--model 'x': matches no cell", id="model"),
        pytest.param({"subsets": ("nose",)}, "--subset 'nose': no face .* subsets: test, pose", id="subset"),
        pytest.param({"labels": ("engine",)}, "--column: unknown column 'engine'", id="column"),
        pytest.param({"decimals": 10}, "--decimals 10: must be from 0 to 9", id="decimals"),
        pytest.param({"layout": "decoders"}, "several values of flip .* choose one with --flip", id="flips"),
        pytest.param(
            {"layout": "decoders", "flips": ("none",), "subsets": ("test", "pose")}, "give --subset once", id="subsets"
        ),
        pytest.param(
            {"models": ("synthface-hrnet-small",), "cells": ("synthface-mobilenetv3*",)},
            "no cell matches all",
            id="all",
        ),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        table(**options)


def test_floor_without_an_oracle_is_refused():
    run = Run.open(RUN)
    options = TableOptions(layout="decoders", selection=Selection(flips=("none",)))
    with pytest.raises(InputError, match="has no cell of the model oracle"):
        make_table(run, options, floor=run)
    with pytest.raises(InputError, match="--floor: needs --layout decoders"):
        make_table(run, floor=Run.open(FLOORS))


def test_a_missing_number_is_a_dash():
    assert Value(None, 3).text == "–"


def test_subsets_of_any_data_set_are_columns(make_run, small_faces):
    """300-W has common and challenging, a data set of one's own any names."""
    hard = np.arange(len(small_faces)) < 20
    faces = replace(small_faces, subsets={"challenging": hard, "common": ~hard, "pose": hard, "test": hard | ~hard})
    run = make_run({("net", "dark", "none", "landmarks"): 4.0}, table=faces)
    names = [column.name for column in make_table(run).columns]
    assert names == ["network", "decoder", "test (60)", "pose (20)", "challenging (20)", "common (40)"]
    only = make_table(run, TableOptions(selection=Selection(subsets=("common",))))
    assert [column.name for column in only.columns][2:] == ["common (40)"]
