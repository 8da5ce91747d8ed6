"""Tests of absolute limits: in the gate, in the baseline, and their text form."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.gates import Baseline, Limit, gate, make_baseline


@pytest.mark.parametrize(
    ("limit", "broken"),
    [
        pytest.param("nme<=100", False, id="nme"),
        pytest.param("nme<=1", True, id="nme-broken"),
        pytest.param("nme@pose<=1", True, id="subset"),
        pytest.param("auc10>=0.99", True, id="auc"),
        pytest.param("fr10<=50", False, id="fr"),
        pytest.param("*dark*/nme <= 1", True, id="cell"),
    ],
)
def test_limits(run, baseline, limit, broken):
    result = gate(run, baseline, limits=[limit])
    assert result.exit_code == int(broken)
    failed = [row for row in result.rows if row.failed]
    assert all(row.outcome == "over limit" for row in failed)
    if "dark" in limit:
        assert [row.cell for row in failed] == ["net__dark__flip+shift__landmarks"]


def test_limits_are_stored_in_the_baseline(run, tmp_path):
    path = tmp_path / "baseline.json"
    make_baseline(run, limits=["nme<=1"]).write(path)
    assert gate(run, Baseline.read(path)).exit_code == 1


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        pytest.param("nme<4", "can't be parsed", id="sign"),
        pytest.param("nmee<=4", "unknown metric 'nmee'; did you mean 'nme", id="metric"),
        pytest.param("nme>=4", "nme is limited by <=", id="direction"),
        pytest.param("nme<=nan", "not a finite number", id="value"),
        pytest.param("nme@nose<=4", "no subset 'nose'", id="subset"),
        pytest.param("other*/nme<=4", "matches no cell", id="cell"),
    ],
)
def test_bad_limits(run, baseline, limit, message):
    with pytest.raises(InputError, match=message):
        gate(run, baseline, limits=[limit])
    with pytest.raises(InputError, match=message):
        make_baseline(run, limits=[limit])


@pytest.mark.parametrize("text", ["nme<=4", "a*/nme@pose<=7.5", "auc10>=0.6", "nme<=4.123456789", "fr10<=1e-09"])
def test_text_round_trip(text):
    """A limit that is stored in a baseline keeps all of its digits."""
    assert str(Limit.parse(text)) == text


def test_value_at_the_limit_is_allowed():
    nme = np.array([2.0, 6.0, 10.0, 12.0])
    for text in ("nme<=7.5", "fr10<=25", "auc10>=0.3"):
        limit = Limit.parse(text)
        assert limit.violation(nme) is None, text
        stricter = Limit(limit.metric, limit.value + (1e-9 if limit.metric == "auc10" else -1e-9))
        assert stricter.violation(nme) is not None, text
