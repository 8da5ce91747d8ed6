"""``nmebench gate``: options, files and exit codes."""

from __future__ import annotations

import json
import re

import pytest

DARK = ("net", "dark", "none", "landmarks")
ARGMAX = ("net", "argmax", "none", "landmarks")


@pytest.fixture
def good(make_run):
    return make_run({DARK: 4.0, ARGMAX: 5.0}, name="good").path


@pytest.fixture
def worse(make_run):
    return make_run({DARK: 4.06, ARGMAX: 5.0}, name="worse").path


@pytest.fixture
def baseline(nmebench, good, tmp_path):
    file = tmp_path / "baseline.json"
    assert nmebench("gate", good, "--baseline", file, "--update").code == 0
    return file


def test_a_relative_margin(nmebench, worse, baseline):
    """The cell is worse by 1.5 % of its NME."""
    assert nmebench("gate", worse, "--baseline", baseline).code == 1
    assert nmebench("gate", worse, "--baseline", baseline, "--margin", "1%").code == 1
    passed = nmebench("gate", worse, "--baseline", baseline, "--margin", "2%")
    assert (passed.code, "margin 2 %" in passed.out) == (0, True)
    assert "test NME 4.0000 -> 4.0600 %" in passed.out
    assert "worst subset " in passed.out


@pytest.mark.parametrize("margin", ["-1", "x", "1%%", "nan"])
def test_wrong_margins(nmebench, worse, baseline, margin):
    result = nmebench("gate", worse, "--baseline", baseline, f"--margin={margin}")
    assert (result.code, f"margin {margin!r}: must be a number" in result.error_line) == (2, True)


def test_limits_without_a_baseline(nmebench, good):
    assert nmebench("gate", good, "--limit", "nme<=6").code == 0
    failed = nmebench("gate", good, "--limit", "nme<=4.5", "--limit", "*dark*/nme@pose<=6")
    assert failed.code == 1
    assert "over limit  net__argmax__none__landmarks  nme<=4.5: NME is 5.0000 %" in failed.out
    assert "no baseline" in failed.out


def test_neither_baseline_nor_limit(nmebench, good):
    for arguments in ([], ["--update"]):
        result = nmebench("gate", good, *arguments)
        assert (result.code, "give --baseline FILE" in result.error_line) == (2, True)


def test_the_report_shows_the_change_first(nmebench, worse, baseline, tmp_path):
    """The first section of the page states the change since the baseline."""
    page = tmp_path / "report.html"
    assert nmebench("gate", worse, "--baseline", baseline, "--report", page).code == 1
    text = page.read_text(encoding="utf-8")
    first = re.split(r"<section ", text)[1]
    assert "baseline.json" in first
    assert "worse" in first
    alone = tmp_path / "alone.html"
    assert nmebench("gate", worse, "--limit", "nme<=6", "--report", alone).code == 0
    assert alone.is_file()


def test_outputs_are_checked_before_any_work(nmebench, worse, baseline, tmp_path):
    for option in ("--report", "--markdown", "--junit"):
        result = nmebench("gate", worse, "--baseline", baseline, option, tmp_path / "none" / "x")
        assert (result.code, f"{option} " in result.error_line) == (2, True)


def test_a_byte_order_mark_and_damage(nmebench, good, baseline):
    baseline.write_bytes(b"\xef\xbb\xbf" + baseline.read_bytes())
    assert nmebench("gate", good, "--baseline", baseline).code == 0
    raw = json.loads(baseline.read_text(encoding="utf-8-sig"))
    for damage in ("{", json.dumps({**raw, "faces": "many"})):
        baseline.write_text(damage)
        result = nmebench("gate", good, "--baseline", baseline)
        assert (result.code, result.error_line.endswith("restore it from version control")) == (2, True)
        assert "--update" not in result.error_line
