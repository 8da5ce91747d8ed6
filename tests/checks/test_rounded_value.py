"""Tests of rounded values: decimals, and failure rates as counts of faces."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nmebench.checks.rounded_value import RoundedValue, _decimals, rounded_values


@pytest.mark.parametrize(
    ("metric", "values", "shown"),
    [
        pytest.param("nme", {"test": 4.3}, "4.30", id="float-has-at-least-two-decimals"),
        pytest.param("nme", {"test": 4.3, "pose": 7.141}, "4.300", id="as-many-decimals-as-the-table"),
        pytest.param("nme", {"test": Decimal("4.300")}, "4.300", id="decimal-keeps-its-zeros"),
        pytest.param("auc10", {"test": 0.6}, "0.600", id="auc-has-at-least-three"),
        pytest.param("fr10", {"test": 0.0}, "0.00", id="zero"),
        pytest.param("nme", {"test": Decimal("4.3"), "pose": 7.14}, "4.30", id="one-decimal-and-one-float"),
    ],
)
def test_number_of_decimals(metric, values, shown):
    assert str(rounded_values(metric, values)["test"]) == shown


@pytest.mark.parametrize(
    ("value", "faces", "counts"),
    [
        pytest.param("2.84", 2500, [71], id="one"),
        pytest.param("11.656", 326, [38], id="three-decimals"),
        pytest.param("38.84", 206, [80], id="rounded-twice"),
        pytest.param("2.85", 500, [], id="no-whole-number"),
        pytest.param("38.85", 206, [], id="more-than-one-unit-off"),
        pytest.param("0.00", 500, [0], id="none"),
        pytest.param("3", 2500, list(range(63, 88)), id="no-decimals"),
        pytest.param("100.00", 500, [500], id="all"),
        pytest.param("100", 300, [299, 300], id="at-most-all"),
        pytest.param("0", 300, [0, 1], id="at-least-none"),
    ],
)
def test_failure_rate_as_counts_of_faces(value, faces, counts):
    assert list(rounded_values("fr10", {"test": Decimal(value)})["test"].counts(faces)) == counts


def test_interval_is_half_a_unit_either_way():
    assert RoundedValue(Decimal("4.25"), 2).interval() == (4.245, 4.255)
    assert RoundedValue(Decimal("4.25"), 2).interval(0.005) == (4.24, 4.26)
    assert RoundedValue(Decimal("4"), 0).interval() == (3.5, 4.5)


def test_whole_number_has_no_decimals():
    assert rounded_values("fr10", {"test": Decimal(3)})["test"].decimals == 0


def test_values_that_have_no_decimals():
    assert rounded_values("nme", {}) == {}
    assert _decimals(Decimal("NaN")) == 0
    assert _decimals(Decimal("1E+2")) == 0


def test_interval_is_exact():
    """4.345 - 0.005 is 4.34 in decimals, but not in floats."""
    assert RoundedValue(Decimal("4.34"), 2).interval() == (4.335, 4.345)
    assert RoundedValue(Decimal("0.602"), 3).interval(0.003) == (0.5985, 0.6055)
