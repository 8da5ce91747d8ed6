"""Margins: absolute in percent points, relative in percent of the baseline's NME."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.gates import DEFAULT_MARGIN, Margin, gate, make_baseline


@pytest.mark.parametrize(
    ("text", "margin"),
    [
        ("0.05", Margin(0.05)),
        ("1%", Margin(1.0, relative=True)),
        (" 2.5 % ", Margin(2.5, relative=True)),
        (".5", Margin(0.5)),
        ("1e-3", Margin(0.001)),
        ("0", Margin(0.0)),
    ],
)
def test_texts(text, margin):
    assert Margin.parse(text) == margin


@pytest.mark.parametrize("text", ["", "%", "-1", "-1%", "nan", "inf", "1e999", "1 points", "1%%", "0x1", "١%", "1_0"])
def test_wrong_texts_are_refused(text):
    with pytest.raises(InputError, match=r"margin .*: must be a number of percent points, 0 or more"):
        Margin.parse(text)


def test_default():
    assert Margin() == Margin(DEFAULT_MARGIN)
    assert str(Margin()) == "0.01 points"
    assert str(Margin(1, relative=True)) == "1 %"


def with_nme(run, values):
    run.__dict__["per_face"] = {
        cell.id: np.broadcast_to(value, len(run.faces)).astype(float)
        for cell, value in zip(run.record.cells, values, strict=True)
    }
    return run


@pytest.mark.parametrize(
    ("margin", "outcomes"),
    [
        (Margin(1, relative=True), ["passed", "regressed"]),
        (Margin(1.3, relative=True), ["passed", "passed"]),
        (Margin(0.05), ["regressed", "passed"]),
    ],
    ids=str,
)
def test_a_relative_margin_grows_with_the_error(run, margin, outcomes):
    """The first cell is worse by 0.06 of 8 (0.75 %), the second by 0.05 of 4 (1.25 %)."""
    reference = make_baseline(with_nme(run, [8.0, 4.0]))
    result = gate(with_nme(run, [8.06, 4.05 - 2**-20]), reference, margin=margin)
    assert [row.outcome for row in result.rows] == outcomes
    assert f"margin {margin}" in result.summary


def test_the_reason_names_a_relative_margin_in_points(run):
    reference = make_baseline(with_nme(run, [4.0, 4.0]))
    row, _ = gate(with_nme(run, [4.2, 4.0]), reference, margin=Margin(1, relative=True)).rows
    assert row.reason == "NME of test is worse by 0.2000 points, over the margin of 1 % (0.0400 points)"
