"""The exact formats of a gate's result, from rows made by hand."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from nmebench.gates import junit, lines, markdown
from nmebench.gates.margin import Margin
from nmebench.gates.result import GateResult, GateRow, SubsetChange

TEST = SubsetChange("test", 4.0, 4.5, 0.5, 0.25, 0.75, 0.001)
POSE = SubsetChange("pose", 7.0, 7.125, 0.125, None, None, 0.5)
BLUR = SubsetChange("blur", 5.0, 4.0, -1.0, -2.0, 0.0, 0.25)


def result(*rows, **fields):
    return GateResult(rows, "wflw", 2500, Margin(), 0.95, **fields)


REGRESSED = GateRow("b", "regressed", "worse", "test", 4.0, 4.5, 0.5, 0.25, 0.75, 0.001, (TEST, BLUR, POSE))
PASSED = GateRow("a", "passed", "fine", "test", 7.0, 7.125, 0.125, None, None, 0.5, (POSE,))
NEW, MISSING = GateRow("c", "new", "added"), GateRow("d", "missing", "gone")


def test_rows():
    assert [r.failed for r in (REGRESSED, PASSED, NEW, MISSING)] == [True, False, False, True]
    assert [r.compared for r in (REGRESSED, PASSED, NEW, MISSING)] == [True, True, False, False]
    assert [r.test for r in (REGRESSED, PASSED, NEW)] == [TEST, None, None]
    assert [r.worst for r in (REGRESSED, PASSED, NEW)] == [POSE, POSE, None]
    assert GateRow("a", "passed", "fine", changes=(TEST,)).worst is None
    assert NEW.subset == "test"


@pytest.mark.parametrize(
    ("rows", "fields", "code", "summary"),
    [
        pytest.param(
            (PASSED,), {}, 0, "gate passed: 1 cell compared on 2500 faces of wflw, margin 0.01 points", id="one"
        ),
        pytest.param((PASSED, NEW, PASSED), {}, 0, "gate passed: 2 cells compared on", id="a-new-cell-is-not-compared"),
        pytest.param((PASSED, REGRESSED, MISSING), {}, 1, "gate failed: b, d (2 cells compared on", id="two-fail"),
        pytest.param(
            (NEW, MISSING),
            {},
            3,
            "gate failed: nothing was comparable (no cell of the baseline was measured)",
            id="none",
        ),
        pytest.param(
            (MISSING,), {"problem": "other faces"}, 3, "gate failed: nothing was comparable (other faces)", id="problem"
        ),
        pytest.param(
            (GateRow("a", "passed", "x"), GateRow("b", "passed", "x")),
            {"has_baseline": False},
            0,
            "gate passed: 2 cells within the limits on 2500 faces of wflw, no baseline",
            id="limits-alone",
        ),
        pytest.param(
            (GateRow("a", "over limit", "x"),),
            {"has_baseline": False},
            1,
            "gate failed: a (1 cell on 2500 faces of wflw, no baseline)",
            id="limits-alone-broken",
        ),
    ],
)
def test_exit_code_and_summary(rows, fields, code, summary):
    found = result(*rows, **fields)
    assert found.exit_code == code
    assert found.passed is (code == 0)
    assert found.nothing_comparable is (code == 3)
    assert found.summary.startswith(summary)


def test_commits_of_both_sides():
    assert result(PASSED).commits == "baseline of an unknown commit, run of an unknown commit"
    assert result(PASSED, has_baseline=False).commits == "run of an unknown commit"


def test_lines():
    assert lines(result(REGRESSED, PASSED, NEW, notes=("look",))) == [
        "regressed   b  test NME 4.0000 -> 4.5000 %, +0.5000 [+0.2500, +0.7500], p 0.001; "
        "worst subset pose NME 7.0000 -> 7.1250 %, +0.1250, p 0.5: worse",
        "passed      a  worst subset pose NME 7.0000 -> 7.1250 %, +0.1250, p 0.5: fine",
        "new         c  added",
        "note: look",
        "commits: baseline of an unknown commit, run of an unknown commit",
        "gate failed: b (2 cells compared on 2500 faces of wflw, margin 0.01 points)",
    ]


def test_markdown():
    decided_by_pose = GateRow("e", "regressed", "worse", "pose", 7.0, 7.125, 0.125, None, None, 0.5, (TEST, POSE))
    found = result(PASSED, REGRESSED, decided_by_pose, NEW, notes=("one", "two"), limits=("nme<=4", "fr10<=5"))
    assert markdown(found).split("\n") == [
        "### ❌ gate failed: b, e (3 cells compared on 2500 faces of wflw, margin 0.01 points)",
        "",
        "Baseline of an unknown commit, run of an unknown commit.",
        "",
        "| cell | result | test: NME before → now (95 % interval of the difference), p | worst subset | why |",
        "|---|---|---|---|---|",
        "| b | **regressed** | 4.0000 → 4.5000, **+0.5000** (+0.2500 to +0.7500), p 0.001 | "
        "pose: 7.0000 → 7.1250, +0.1250, p 0.5 | worse |",
        "| e | **regressed** | 4.0000 → 4.5000, +0.5000 (+0.2500 to +0.7500), p 0.001 | "
        "pose: 7.0000 → 7.1250, **+0.1250**, p 0.5 | worse |",
        "| a | passed |  | pose: 7.0000 → 7.1250, +0.1250, p 0.5 | fine |",
        "| c | new |  |  | added |",
        "",
        "- one",
        "- two",
        "",
        "Limits: nme\\<=4, fr10\\<=5.",
        "",
    ]
    alone = result(GateRow("a", "passed", "NME is 4"), has_baseline=False, limits=("nme<=5",))
    assert markdown(alone).split("\n") == [
        "### ✅ gate passed: 1 cell within the limits on 2500 faces of wflw, no baseline",
        "",
        "Run of an unknown commit.",
        "",
        "| cell | result | limits |",
        "|---|---|---|",
        "| a | passed | NME is 4 |",
        "",
    ]


def test_markdown_names_the_level():
    found = GateResult((PASSED,), "wflw", 2500, Margin(), 0.9)
    assert "(90 % interval of the difference)" in markdown(found)


def test_junit():
    root = ElementTree.fromstring(junit(result(REGRESSED, PASSED, NEW)))
    (suite,) = root
    assert root.tag == "testsuites"
    assert suite.attrib == {
        "name": "nmebench gate on wflw",
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
    }
    assert [(p.get("name"), p.get("value")) for p in suite.iter("property")] == [
        ("commits", "baseline of an unknown commit, run of an unknown commit")
    ]
    cases = suite.findall("testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases] == [("nmebench.gate", c) for c in "bac"]
    failure = cases[0].find("failure")
    assert (failure.get("type"), failure.get("message")) == ("regressed", "worse")
    assert failure.text.startswith("test NME 4.0000 -> 4.5000 %")
    assert [case.find("failure") for case in cases[1:]] == [None, None]
    assert [case.findtext("system-out") for case in cases] == [
        None,
        "fine. worst subset pose NME 7.0000 -> 7.1250 %, +0.1250, p 0.5",
        "added.",
    ]


def test_junit_of_nothing_comparable():
    text = junit(result(NEW, problem="other\x00 faces"))
    assert text.startswith("<?xml version='1.0' encoding=")
    assert text.endswith("</testsuites>\n")
    assert text.split("\n")[1:3] == ["<testsuites>", text.split("\n")[2]]
    assert text.split("\n")[2].startswith("  <testsuite ")
    suite = ElementTree.fromstring(text)[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    case = suite.findall("testcase")[1]
    assert (case.get("classname"), case.get("name")) == ("nmebench.gate", "something was comparable")
    failure = case.find("failure")
    assert failure.get("type") == "nothing comparable"
    assert failure.get("message") == "gate failed: nothing was comparable (other\N{REPLACEMENT CHARACTER} faces)"
