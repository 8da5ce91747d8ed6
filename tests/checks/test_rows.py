"""Tests of every field of a verdict's rows, and of the limits of failure rates."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from nmebench.checks import check
from nmebench.checks.check_run import _auc_tolerance, _compare_failures
from nmebench.checks.reported_tables import ReportedProtocol, canonical, tables_for
from nmebench.checks.rounded_value import RoundedValue
from nmebench.runs.run_record import CellRecord

DARK = ("net", "dark", "flip+shift", "landmarks")
CARD = {
    "name": "net",
    "input": {"box": "landmarks"},
    "output": {"kind": "heatmaps"},
    "test": {"decoder": "dark", "flip": True, "shift": True},
}


def reporting(**tables):
    return {"net": {**CARD, "reported": {"wflw": tables}}}


@pytest.fixture
def run(make_run):
    """The NME of all faces is exactly 4, but 6 of 60 faces have 12."""

    def make(tables, **options):
        made = make_run({DARK: 4.0}, cards=reporting(**tables), **options)
        made.__dict__["per_face"] = {made.record.cells[0].id: np.where(np.arange(60) % 10 == 0, 12.0, 4.0)}
        return made

    return make


def test_every_field_of_a_row(run):
    made = run({"t": {"nme": {"test": 4.75}, "fr10": {"test": 11.67}, "auc10": {"test": 0.58}, "source": "a thread"}})
    common = {"model": "net", "dataset": "wflw", "table": "t", "subset": "test", "source": "a thread"}
    common |= {"cell": made.record.cells[0].id, "status": "deviates"}
    expected = (
        dict(
            **common,
            metric="nme",
            reported=4.75,
            reported_text="4.75",
            measured=4.8,
            difference=pytest.approx(0.05),
            low=4.745,
            high=4.755,
            allowed="4.745 to 4.755 (rounding)",
            reason="0.050 points above the reported value",
        ),
        dict(
            **common,
            metric="fr10",
            reported=11.67,
            reported_text="11.67",
            measured=10.0,
            difference=pytest.approx(-1.67),
            low=11.665,
            high=11.675,
            allowed="7 of 60 faces",
            reason="1 face (6, reported 7, of 60) below the reported value",
        ),
        dict(
            **common,
            metric="auc10",
            reported=0.58,
            reported_text="0.580",
            measured=pytest.approx(0.54),
            difference=pytest.approx(-0.04),
            low=0.5795,
            high=0.5805,
            allowed="0.5795 to 0.5805 (rounding)",
            reason="0.0400 below the reported value",
        ),
    )
    for row, wanted in zip(check(made).rows, expected, strict=True):
        assert row.model_dump() == {**wanted, "causes": ()}


def test_ranges_with_a_tolerance(run):
    table = {"nme": {"test": 4.8}, "fr10": {"test": 10.0}, "auc10": {"test": 0.54}, "tolerance": 0.03}
    nme, fr10, auc10 = check(run({"t": table})).rows
    assert (nme.low, nme.high, nme.allowed) == (4.765, 4.835, "4.765 to 4.835 (rounding, tolerance 0.03)")
    assert fr10.allowed == "6 of 60 faces, faces within 0.03 of the threshold either way"
    assert auc10.allowed == "0.5365 to 0.5435 (rounding, tolerance 0.03 points of NME)"
    assert {row.status for row in (nme, fr10, auc10)} == {"reproduced"}
    assert {row.reason for row in (nme, fr10, auc10)} == {"within the allowed range"}
    assert nme.source == "", "the table names no source"


def test_ranges_of_counts(run):
    """Counts of 60 faces that print as 11.7, as 12.0 (none is within a unit), and of an unknown number of faces."""
    one = check(run({"t": {"fr10": {"test": 11.7}}})).rows[0]
    none = check(run({"t": {"fr10": {"test": 12.5}}}, name="none")).rows[0]
    assert (one.allowed, none.allowed) == ("a whole number of faces", "a whole number of faces")
    assert (none.status, none.measured) == ("not comparable", None)
    unknown = check(run({"t": {"fr10": {"test": 10.0}}}, name="unknown", expected={})).rows[0]
    assert (unknown.allowed, unknown.status) == ("a whole number of faces", "not comparable")
    assert unknown.reason == "the number of faces of test in the complete set is not known"


def test_ranges_of_several_counts(run, monkeypatch):
    monkeypatch.setattr("nmebench.checks.rounded_value._FEWEST_DECIMALS", {"nme": 0, "fr": 0, "auc": 0})
    (row,) = check(run({"t": {"fr10": {"test": 10.0}}}, expected={"test": 10_000})).rows
    assert row.allowed == "995 to 1004 of 10000 faces"


def failures(*extra, failed):
    """NMEs of 1000 faces: ``failed`` of them at 12, then the ``extra`` ones, the others at 4."""
    values = [12.0] * failed + list(extra)
    return np.array(values + [4.0] * (1000 - len(values)))


@pytest.mark.parametrize(
    ("nme", "tolerance", "status", "reason"),
    [
        pytest.param(failures(failed=195), 0.0, "reproduced", "within", id="fewest"),
        pytest.param(failures(failed=194), 0.0, "deviates", "1 face (194, reported 195, of 1000) below", id="too-few"),
        pytest.param(failures(failed=204), 0.0, "reproduced", "within", id="most"),
        pytest.param(
            failures(failed=206), 0.0, "deviates", "2 faces (206, reported 204, of 1000) above", id="too-many"
        ),
        pytest.param(failures(9.98, failed=194), 0.03, "reproduced", "within", id="one-may-fail"),
        pytest.param(failures(9.96, failed=194), 0.03, "deviates", "1 face", id="none-may-fail"),
        pytest.param(failures(10.02, failed=204), 0.03, "reproduced", "within", id="one-may-succeed"),
        pytest.param(failures(10.04, failed=204), 0.03, "deviates", "1 face", id="none-may-succeed"),
    ],
)
def test_counts_at_the_ends_of_the_range(nme, tolerance, status, reason):
    """20 % of 1000 faces without decimals: 195 to 204 faces."""
    found = _compare_failures(10.0, RoundedValue(Decimal(20), 0), tolerance, nme)
    count = sum(value > 10 for value in nme)
    assert (found.status, found.measured, found.difference) == (status, count / 10, pytest.approx(count / 10 - 20))
    assert found.reason.startswith(reason)


def test_tolerance_of_auc():
    assert _auc_tolerance(0.03, 10.0) == 0.003
    assert _auc_tolerance(1 / 3, 10.0) == 0.033333333333
    assert _auc_tolerance(0.02, 8.0) == 0.0025


def test_cell_with_the_fewest_differences_is_compared(make_run):
    """A cell with the table's decoder and another flip test says more than one with another decoder."""
    argmax, plain, far = ("net", "argmax", "flip+shift", "landmarks"), ("net", "dark", "none", "landmarks"), "rect"
    cells = {argmax: 4.0, plain: 4.0, ("net", "dark", "none", far): 4.0}
    made = make_run(cells, cards=reporting(t={"nme": {"test": 4.0}}))
    (row,) = check(made).rows
    assert (row.status, row.cell) == ("not comparable", None)
    assert row.reason == "measured with flip none, reported with flip flip+shift"


def test_network_without_cells_and_unknown_protocols(make_run):
    made = make_run({DARK: 4.0}, cards=reporting(t={"nme": {"test": 4.0}}))
    record = made.record.model_copy(update={"cells": [made.record.cells[0].model_copy(update={"model": "other"})]})
    object.__setattr__(made, "record", record)
    assert [(row.status, row.reason) for row in check(made).rows] == [("not run", "no cell of this model")]
    vague = {"net": {"name": "net", "reported": {"wflw": {"t": {"nme": {"test": 4.0}, "decoder": None}}}}}
    (row,) = check(make_run({DARK: 4.0}, name="vague", cards=vague)).rows
    assert row.status == "not comparable"
    assert row.reason.startswith("not stated for the table, or not available in nmebench: ")


def test_protocol_of_a_table():
    protocol = ReportedProtocol(decoder="dark", flip=None, box="rect", normaliser=None)
    assert protocol.unknown() == ["flip", "normaliser"]
    assert str(protocol) == "decoder dark, flip None, box rect"
    cell = CellRecord(id="c", model="net", decoder="dark:kernel=11", flip="none", box="landmarks")
    assert protocol.differences(cell) == {"box": ("landmarks", "rect")}
    assert ReportedProtocol(None, "flip", None, None).differences(cell) == {"flip": ("none", "flip")}


def test_canonical_decoders():
    assert canonical("dark:kernel=11") == "dark"
    assert canonical("direct") == "direct"
    assert canonical("not-installed:a=1") == "not-installed:a=1"


def test_tables_of_a_card_and_published_ones(make_run):
    """The published tables of a checkpoint follow its card's, but not those that the card names itself."""
    weights = {"net": "3f8e0c2c" + "0" * 56}
    made = make_run({DARK: 4.0}, cards=reporting(t={"nme": {"test": 4.0}, "tolerance": None}), weights=weights)
    mine, *published = tables_for(made.record.models[0])
    assert (mine.dataset, mine.name, mine.tolerance, mine.source) == ("wflw", "t", 0.0, "")
    assert dict(mine.values) == {"nme": {"test": RoundedValue(Decimal("4.0"), 2)}}
    assert mine.protocol == ReportedProtocol("dark", "flip+shift", "landmarks", "inter-ocular")
    assert [table.dataset for table in published] == ["wflw", "wflw"]
    assert all(table.tolerance == 0.0 and table.source for table in published)
    assert {table.protocol for table in published} <= {
        ReportedProtocol("dark", flip, "landmarks", "inter-ocular") for flip in ("flip", "flip+shift", None)
    }
    assert list(tables_for(made.record.models[0], with_published=False)) == [mine]
    named = reporting(t={"nme": {"test": 4.0}, "source": published[0].source})
    again = make_run({DARK: 4.0}, name="named", cards=named, weights=weights)
    assert [table.source for table in tables_for(again.record.models[0])][1:] == [
        table.source for table in published if table.source != published[0].source
    ]
    unhashed = make_run({DARK: 4.0}, name="unhashed", cards=reporting(t={"nme": {"test": 4.0}}))
    assert len(list(tables_for(unhashed.record.models[0]))) == 1
