"""Tests of ``check``: every status, the allowed range of printed values, and the exit code."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.checks import Verdict, check
from nmebench.errors import InputError

DARK = ("net", "dark", "flip+shift", "landmarks")


def card(tables, *, dataset="wflw", **test):
    return {
        "net": {
            "name": "net",
            "input": {"box": "landmarks", "colour": "rgb"},
            "output": {"kind": "heatmaps"},
            "test": {"decoder": "dark", "flip": True, "shift": True, **test},
            "reported": {dataset: tables},
        }
    }


def table(tolerance=0.03, **values):
    return {**values, "source": "somewhere", "tolerance": tolerance}


def statuses(verdict):
    return [(row.metric, row.subset, row.status) for row in verdict.rows]


@pytest.fixture
def nme():
    """Mean 4.8 on test with 6 failures of 60."""
    return np.where(np.arange(60) % 10 == 0, 12.0, 4.0)


def test_values_of_both_tables_are_reproduced(make_run, nme):
    tables = {
        "0.x": table(nme={"test": 4.8, "pose": 5.6}, fr10={"test": 10.0}, auc10={"test": 0.54}),
        "1.x": table(nme={"test": 4.82}),
    }
    run = make_run({DARK: nme}, cards=card(tables))
    verdict = check(run)
    assert [row.table for row in verdict.rows] == ["0.x"] * 4 + ["1.x"]
    assert {row.status for row in verdict.rows} == {"reproduced"}
    assert verdict.exit_code == 0
    assert verdict.summary == "5 reported numbers: 5 reproduced"
    assert run.read_json("verdict.json") is None, "check() writes no files"
    stored = verdict.model_dump(mode="json")
    assert (stored["exit_code"], stored["summary"]) == (0, verdict.summary)
    assert Verdict.model_validate(stored) == verdict


@pytest.mark.parametrize(
    ("measured", "tolerance", "status"),
    [
        pytest.param(3.9751, 0.0, "reproduced", id="lower-edge"),
        pytest.param(3.9749, 0.0, "deviates", id="below"),
        pytest.param(3.9849, 0.0, "reproduced", id="upper-edge"),
        pytest.param(3.9851, 0.0, "deviates", id="above"),
        pytest.param(4.0149, 0.03, "reproduced", id="widened"),
        pytest.param(4.0151, 0.03, "deviates", id="over-the-tolerance"),
    ],
)
def test_nme_must_be_within_rounding_and_tolerance(make_run, measured, tolerance, status):
    run = make_run({DARK: measured}, cards=card({"t": table(tolerance, nme={"test": 3.98})}))
    (row,) = check(run).rows
    assert row.status == status
    assert row.difference == pytest.approx(measured - 3.98, abs=1e-5)


@pytest.mark.parametrize(
    ("reported", "tolerance", "status", "reason"),
    [
        pytest.param(10.0, 0.03, "reproduced", "within", id="same-count"),
        pytest.param(8.33, 0.03, "deviates", "1 face (6, reported 5, of 60)", id="one-face-off"),
        pytest.param(5.0, 0.03, "deviates", "3 faces (6, reported 3, of 60)", id="three-off"),
        pytest.param(8.33, 2.5, "reproduced", "within", id="faces-near-the-threshold"),
        pytest.param(9.0, 0.03, "not comparable", "9.00 % is not a whole number of 60 faces", id="no-count"),
    ],
)
def test_failure_rate_is_compared_as_a_count(make_run, nme, reported, tolerance, status, reason):
    run = make_run({DARK: nme}, cards=card({"t": table(tolerance, fr10={"test": reported})}))
    (row,) = check(run).rows
    assert row.status == status
    assert reason in row.reason


def test_auc_is_compared_with_a_tenth_of_the_tolerance(make_run, nme):
    values = {"test": 0.54, "pose": 0.5}
    run = make_run({DARK: nme}, cards=card({"t": table(0.03, auc10=values)}))
    test, pose = check(run).rows
    assert (test.low, test.high) == pytest.approx((0.5365, 0.5435))
    assert (test.status, pose.status) == ("reproduced", "deviates")


def test_incomplete_subset_is_not_comparable(make_run, nme):
    run = make_run(
        {DARK: nme},
        cards=card({"t": table(nme={"test": 4.8, "pose": 5.6, "makeup": 4.0})}),
        expected={"test": 2500, "pose": 326, "makeup": 206},
    )
    verdict = check(run)
    assert [(row.status, row.reason) for row in verdict.rows] == [
        ("not comparable", "60 of 2500 faces"),
        ("not comparable", "15 of 326 faces"),
        ("not run", "the annotation files don't define the subset makeup"),
    ]
    assert verdict.exit_code == 3
    assert all(row.measured is None for row in verdict.rows)


@pytest.mark.parametrize(
    ("cell", "status", "reason"),
    [
        pytest.param(
            ("net", "argmax", "flip+shift", "landmarks"), "not run", "no cell with decoder dark", id="decoder"
        ),
        pytest.param(("net", "dark", "none", "landmarks"), "not comparable", "measured with flip none", id="flip"),
        pytest.param(("net", "dark", "flip+shift", "rect"), "not comparable", "reported with box landmarks", id="box"),
    ],
)
def test_cell_with_another_protocol_is_not_compared(make_run, nme, cell, status, reason):
    verdict = check(make_run({cell: nme}, cards=card({"t": table(nme={"test": 4.8})})))
    assert verdict.rows[0].status == status
    assert reason in verdict.rows[0].reason
    assert verdict.exit_code == 3


def test_protocol_of_a_table_overrides_the_card_and_is_canonical(make_run, nme):
    tables = {"t": table(nme={"test": 4.8}, flip=False, box="rect", decoder="dark:kernel=11")}
    run = make_run({DARK: nme + 1, ("net", "dark", "none", "rect"): nme}, cards=card(tables))
    (row,) = check(run).rows
    assert (row.status, row.cell) == ("reproduced", "net__dark__none__rect")


def test_landmark_networks_use_shift_coords(make_run, nme):
    cards = card({"0.x": table(nme={"test": 4.8}, shift_coords=False), "1.x": table(nme={"test": 4.8})})
    cards["net"]["output"] = {"kind": "landmarks"}
    cards["net"]["test"] = {"flip": True, "shift_coords": True}
    run = make_run({("net", "direct", "flip", "landmarks"): nme}, cards=cards)
    assert [row.status for row in check(run).rows] == ["reproduced", "not comparable"]


def test_another_normaliser_is_not_comparable(make_run, nme, monkeypatch):
    run = make_run({DARK: nme}, cards=card({"t": table(nme={"test": 4.8})}))
    record = run.record.model_copy(update={"normaliser": "inter-pupil"})
    object.__setattr__(run, "record", record)
    assert check(run).rows[0].reason == "normalised by inter-pupil, reported by inter-ocular"


def test_table_of_another_dataset_is_not_run(make_run, nme):
    run = make_run({DARK: nme}, cards=card({"t": table(nme={"test": 4.8})}), dataset="synthface")
    assert check(run).rows[0].reason == "this run measured synthface"


def test_run_without_reported_numbers_is_not_comparable(make_run, nme):
    verdict = check(make_run({DARK: nme}))
    assert verdict.exit_code == 3
    assert verdict.summary.startswith("nothing to compare")


def test_published_tables_are_found_by_the_hash_of_the_checkpoint(make_run, nme):
    weights = {"net": "3f8e0c2c" + "0" * 56}
    run = make_run({DARK: nme}, weights=weights, expected={"test": 2500})
    verdict = check(run)
    assert {row.table for row in verdict.rows} == {
        "mmpose HRNetV2-W18 DARK (0.x table)",
        "mmpose HRNetV2-W18 DARK (1.x table)",
    }
    assert len(verdict.rows) == 14
    assert verdict.rows[0].reported_text == "3.98"
    assert not check(run, published=False).rows


def test_shipped_card_is_compared_with_both_tables(make_run):
    from nmebench.models import card as cards

    shipped = cards.load("mmpose-hrnetv2-w18-dark").model_dump(mode="json")
    run = make_run({("net", "dark", "flip+shift", "landmarks"): 3.98}, cards={"net": shipped}, expected={"test": 60})
    verdict = check(run)
    assert [(row.table, row.status) for row in verdict.rows if row.subset == "test"] == [
        ("mmpose 0.x", "reproduced"),
        ("mmpose 1.x", "reproduced"),
    ]


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        pytest.param({"box_padding": 1.28}, "box padding 1.28, reported with box padding 1.25", id="padding"),
        pytest.param({"colour": "bgr"}, "colour bgr, reported with colour rgb", id="colour"),
        pytest.param({"options": {"fusion": "nearest"}}, "options fusion=nearest, reported with", id="options"),
        pytest.param({"keep_heatmaps": True}, "network outputs float16", id="float16"),
    ],
)
def test_setting_that_is_not_the_cards_is_not_comparable(make_run, nme, configuration, reason):
    """The number fits, but by another protocol: it isn't reproduced."""
    run = make_run({DARK: nme}, cards=card({"t": table(nme={"test": 4.8})}), configuration=configuration)
    (row,) = check(run).rows
    assert row.status == "not comparable"
    assert reason in row.reason
    assert (row.measured, check(run).exit_code) == (None, 3)


def test_the_default_padding_may_be_given(make_run, nme):
    run = make_run({DARK: nme}, cards=card({"t": table(nme={"test": 4.8})}), configuration={"box_padding": 1.25})
    assert check(run).rows[0].status == "reproduced"


def test_reduced_precision_is_not_comparable(make_run, nme):
    run = make_run({DARK: nme}, cards=card({"t": table(nme={"test": 4.8})}))
    model = run.record.models[0].model_copy(update={"engine_details": {"precision": "bf16"}})
    object.__setattr__(run, "record", run.record.model_copy(update={"models": [model]}))
    assert "precision bf16" in check(run).rows[0].reason


@pytest.mark.parametrize(
    ("counts", "status", "reason"),
    [
        pytest.param({"invalid": 1, "empty": 0}, "not comparable", "1 heatmaps of this cell are invalid", id="nan"),
        pytest.param({"invalid": 0, "empty": 2}, "reproduced", "2 heatmaps of this cell are empty", id="empty"),
        pytest.param({"invalid": 0, "empty": 0}, "reproduced", "within the allowed range", id="good"),
    ],
)
def test_heatmaps_without_a_landmark_are_named(make_run, nme, counts, status, reason):
    run = make_run({DARK: nme}, cards=card({"t": table(nme={"test": 4.8})}))
    cell = run.record.cells[0].model_copy(update={"counts": counts})
    object.__setattr__(run, "record", run.record.model_copy(update={"cells": [cell]}))
    (row,) = check(run).rows
    assert row.status == status
    assert reason in row.reason


@pytest.mark.parametrize(
    ("measured", "status"),
    [pytest.param(4.0, "reproduced", id="lower-end"), pytest.param(4.5, "deviates", id="upper-end")],
)
def test_range_includes_its_lower_end_only(make_run, measured, status):
    """A value on the border of two printed numbers belongs to the upper one."""
    run = make_run({DARK: 4.0}, cards=card({"t": table(0.245, nme={"test": 4.25})}))
    run.__dict__["per_face"] = {run.record.cells[0].id: np.full(60, measured)}
    (row,) = check(run).rows
    assert (row.low, row.high) == (4.0, 4.5)
    assert row.status == status


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"reported": [1]}, id="reported"),
        pytest.param({"reported": {"wflw": {"t": {"nme": {"test": "four"}}}}}, id="value"),
        pytest.param({"test": {"decoder": ["dark"]}, "reported": {"wflw": {"t": {}}}}, id="decoder"),
        pytest.param({"input": 5, "reported": {}}, id="input"),
    ],
)
def test_damaged_card_is_named(make_run, nme, damage):
    with pytest.raises(InputError, match=r"run\.json: damaged \(the card of net: "):
        check(make_run({DARK: nme}, cards={"net": {"name": "net", **damage}}))


def test_a_deviation_names_the_other_table_of_the_network(make_run):
    """mmpose 0.x and 1.x print different numbers for one checkpoint; at most one of them can be reproduced."""
    tables = {"0.x": table(nme={"test": 3.40}), "1.x": table(nme={"test": 3.48})}
    old, new = check(make_run({DARK: 3.48}, cards=card(tables))).rows
    assert (old.status, new.status) == ("deviates", "reproduced")
    assert old.reason == "0.080 points above the reported value; 1.x has 3.48"
    assert new.reason == "within the allowed range"


def test_tables_that_agree_are_not_named(make_run):
    tables = {"0.x": table(nme={"test": 3.4}), "1.x": table(nme={"test": 3.4})}
    rows = check(make_run({DARK: 3.0}, cards=card(tables))).rows
    assert [row.reason for row in rows] == 2 * ["0.400 points below the reported value"]
