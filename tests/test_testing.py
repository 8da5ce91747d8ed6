"""Tests of the assertions and of the fixture that users' test suites call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nmebench.errors import InputError
from nmebench.runs.run_store import Run
from nmebench.testing import assert_gate, assert_nme, assert_scores

pytest_plugins = ["pytester"]

DARK = ("net", "dark", "none", "landmarks")
ARGMAX = ("net", "argmax", "none", "landmarks")


def test_bounds_that_hold(make_run: Callable[..., Run]) -> None:
    run = make_run({DARK: 3.0, ARGMAX: 5.0})
    assert_nme(run, "dark", test=("<=", 3.01), pose=3.01)
    assert_nme(str(run.path), "argmax", test=(">", 4.9))
    assert_scores(run.path, "dark", "auc10", test=(">=", 0.69))


def test_bounds_that_fail_name_every_value(make_run: Callable[..., Run]) -> None:
    run = make_run({DARK: 3.0, ARGMAX: 5.0})
    with pytest.raises(AssertionError) as caught:
        assert_nme(run, "dark", test=("<=", 2.5), pose=("<", 2.0), blur=4.0)
    assert str(caught.value) == (
        f"{run.record.cells[0].id}: nme on test is 3.0000, not <= 2.5; nme on pose is 3.0000, not < 2"
    )


@pytest.mark.parametrize(
    ("cell", "metric", "bounds", "message"),
    [
        ("dark", "nme", {}, "no bound given"),
        ("drak", "nme", {"test": 4.0}, "no such cell"),
        ("dark", "fr9", {"test": 4.0}, "fr10"),
        ("dark", "nme", {"poes": 4.0}, "pose"),
        ("dark", "nme", {"test": ("=<", 4.0)}, "<="),
        ("dark", "nme", {"test": "4"}, "give a number, or a relation and a number"),
        ("dark", "nme", {"test": None}, "give a number, or a relation and a number"),
        ("dark", "nme", {"test": True}, "give a number, or a relation and a number"),
        ("dark", "nme", {"test": ("<=", "4")}, "'4' is not a number"),
        ("dark", "auc10", {"test": 0.6}, "is better when larger; give the relation"),
    ],
)
def test_mistakes_are_no_failed_assertions(
    make_run: Callable[..., Run], cell: str, metric: str, bounds: dict[str, float], message: str
) -> None:
    run = make_run({DARK: 3.0, ARGMAX: 5.0})
    with pytest.raises(InputError, match=message):
        assert_scores(run, cell, metric, **bounds)


def test_gate(make_run: Callable[..., Run], tmp_path: Path) -> None:
    good, worse = make_run({DARK: 3.0}), make_run({DARK: 3.2}, name="worse")
    file = tmp_path / "baseline.json"
    assert_gate(good, file, update=True)
    assert_gate(good, file)
    assert_gate(worse, file, margin=0.5)
    with pytest.raises(AssertionError, match="regressed"):
        assert_gate(worse, file)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("assert_nme(RUN, 'drak', test=4.0)", "cell 'drak': no such cell"),
        ("assert_nme(RUN, 'dark', poes=4.0)", "unknown subset 'poes'; did you mean 'pose'?"),
        ("assert_scores('absent', 'dark', 'nme', test=4.0)", "absent: no run here"),
        ("assert_gate(RUN, 'absent.json')", "baseline absent.json is missing"),
        ("assert_gate(RUN, 'damaged.json')", "damaged.json: "),
        ("nmebench_gate(RUN, 'absent.json')", "absent.json is missing"),
    ],
)
def test_mistake_is_shown_as_the_callers_line(
    make_run: Callable[..., Run], pytester: pytest.Pytester, call: str, message: str
) -> None:
    """pytest shows one frame, the test's, and one error without its causes."""
    pytester.makeconftest('pytest_plugins = ["nmebench.pytest_plugin"]')
    (pytester.path / "damaged.json").write_text('{"schema": "x", "cells": [3]}')
    pytester.makepyfile(
        "from nmebench.testing import *\n\n"
        f"RUN = {str(make_run({DARK: 3.0}).path)!r}\n\n\ndef test_it(nmebench_gate):\n    {call}\n"
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    (shown,) = [line for line in text.splitlines() if line.startswith("E ")]
    assert "nmebench.errors.InputError: " in shown
    assert message in shown
    assert f">       {call}" in text or f">   {'':4}{call}" in text
    assert "harness" not in text.partition("short test summary")[0]
    assert "direct cause" not in text


def test_fixture_in_another_test_suite(make_run: Callable[..., Run], pytester: pytest.Pytester) -> None:
    good, worse = make_run({DARK: 3.0}), make_run({DARK: 3.2}, name="worse")
    pytester.makeconftest('pytest_plugins = ["nmebench.pytest_plugin"]')

    def suite(run: Run, *options: str) -> pytest.RunResult:
        pytester.makepyfile(f"def test_it(nmebench_gate):\n    nmebench_gate({str(run.path)!r}, 'baseline.json')\n")
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)

    suite(good).assert_outcomes(failed=1)  # there is no baseline yet
    suite(good, "--nmebench-update").assert_outcomes(passed=1)
    suite(good).assert_outcomes(passed=1)
    failed = suite(worse)
    failed.assert_outcomes(failed=1)
    text = failed.stdout.str()
    assert "nmebench_gate(" in text
    assert "harness/testing.py" not in text  # the caller's line alone
