"""The check: every status, the rounding of printed values, and the exit code."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from nmebench.check import Verdict, check
from nmebench.check.rounded_value import rounded_values

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


def test_reproduced_in_both_tables(make_run, nme):
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
    stored = run.read_json("verdict.json")
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
def test_a_printed_value_stands_for_an_interval(make_run, measured, tolerance, status):
    run = make_run({DARK: measured}, cards=card({"t": table(tolerance, nme={"test": 3.98})}))
    (row,) = check(run).rows
    assert row.status == status
    assert row.difference == pytest.approx(measured - 3.98, abs=1e-5)


@pytest.mark.parametrize(
    ("metric", "values", "shown"),
    [
        pytest.param("nme", {"test": 4.3}, "4.30", id="a-float-has-two-decimals-at-least"),
        pytest.param("nme", {"test": 4.3, "pose": 7.141}, "4.300", id="as-many-as-its-table"),
        pytest.param("nme", {"test": Decimal("4.300")}, "4.300", id="a-decimal-keeps-its-zeros"),
        pytest.param("auc10", {"test": 0.6}, "0.600", id="auc-has-three"),
        pytest.param("fr10", {"test": 0.0}, "0.00", id="zero"),
    ],
)
def test_decimals(metric, values, shown):
    assert str(rounded_values(metric, values)["test"]) == shown


@pytest.mark.parametrize(
    ("value", "faces", "counts"),
    [
        pytest.param("2.84", 2500, [71], id="one"),
        pytest.param("11.656", 326, [38], id="three-decimals"),
        pytest.param("38.84", 206, [80], id="rounded-twice"),
        pytest.param("2.85", 500, [], id="no-whole-number"),
        pytest.param("0.00", 500, [0], id="none"),
        pytest.param("3", 2500, list(range(63, 88)), id="no-decimals"),
    ],
)
def test_failure_rates_are_counts(value, faces, counts):
    assert list(rounded_values("fr10", {"test": Decimal(value)})["test"].counts(faces)) == counts


@pytest.mark.parametrize(
    ("reported", "tolerance", "status", "reason"),
    [
        pytest.param(10.0, 0.03, "reproduced", "within", id="same-count"),
        pytest.param(8.33, 0.03, "deviates", "1 face (6, reported 5, of 60)", id="one-face-off"),
        pytest.param(5.0, 0.03, "deviates", "3 faces (6, reported 3, of 60)", id="three-off"),
        pytest.param(8.33, 2.5, "reproduced", "within", id="faces-near-the-threshold"),
        pytest.param(9.0, 0.03, "not comparable", "9.00 % is no whole number of 60 faces", id="no-count"),
    ],
)
def test_failure_rate_is_checked_as_a_count(make_run, nme, reported, tolerance, status, reason):
    run = make_run({DARK: nme}, cards=card({"t": table(tolerance, fr10={"test": reported})}))
    (row,) = check(run).rows
    assert row.status == status
    assert reason in row.reason


def test_auc(make_run, nme):
    values = {"test": 0.54, "pose": 0.5}
    run = make_run({DARK: nme}, cards=card({"t": table(0.03, auc10=values)}))
    test, pose = check(run).rows
    assert (test.low, test.high) == pytest.approx((0.5365, 0.5435))
    assert (test.status, pose.status) == ("reproduced", "deviates")


def test_a_partial_set_is_not_comparable(make_run, nme):
    run = make_run(
        {DARK: nme},
        cards=card({"t": table(nme={"test": 4.8, "pose": 5.6, "makeup": 4.0})}),
        expected={"test": 2500, "pose": 326, "makeup": 206},
    )
    verdict = check(run)
    assert [(row.status, row.reason) for row in verdict.rows] == [
        ("not comparable", "60 of 2500 faces"),
        ("not comparable", "15 of 326 faces"),
        ("not run", "the files don't tell the subset makeup"),
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
def test_another_protocol_is_not_compared(make_run, nme, cell, status, reason):
    verdict = check(make_run({cell: nme}, cards=card({"t": table(nme={"test": 4.8})})))
    assert verdict.rows[0].status == status
    assert reason in verdict.rows[0].reason
    assert verdict.exit_code == 3


def test_a_tables_own_protocol_wins_and_defaults_are_the_same_decoder(make_run, nme):
    tables = {"t": table(nme={"test": 4.8}, flip=False, box="rect", decoder="dark:kernel=11")}
    run = make_run({DARK: nme + 1, ("net", "dark", "none", "rect"): nme}, cards=card(tables))
    (row,) = check(run).rows
    assert (row.status, row.cell) == ("reproduced", "net__dark__none__rect")


def test_networks_that_give_landmarks_have_their_own_switch(make_run, nme):
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


def test_another_dataset_was_not_run(make_run, nme):
    run = make_run({DARK: nme}, cards=card({"t": table(nme={"test": 4.8})}), dataset="synthface")
    assert check(run).rows[0].reason == "this run measured synthface"


def test_nothing_reported(make_run, nme):
    verdict = check(make_run({DARK: nme}))
    assert verdict.exit_code == 3
    assert verdict.summary.startswith("nothing to compare")


def test_published_tables_are_found_by_the_checkpoints_hash(make_run, nme):
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


def test_shipped_cards_are_compared_with_both_tables(make_run):
    from nmebench.models import card as cards

    shipped = cards.load("mmpose-hrnetv2-w18-dark").model_dump(mode="json")
    run = make_run({("net", "dark", "flip+shift", "landmarks"): 3.98}, cards={"net": shipped}, expected={"test": 60})
    verdict = check(run)
    assert [(row.table, row.status) for row in verdict.rows if row.subset == "test"] == [
        ("mmpose 0.x", "reproduced"),
        ("mmpose 1.x", "reproduced"),
    ]
