"""Tests of the formats of a gate's result: lines, Markdown, JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree

from nmebench.gates import gate, junit, lines, make_baseline, markdown

DARK = ("net", "dark", "flip+shift", "landmarks")
QUARTER = ("net", "quarter-offset", "flip+shift", "landmarks")


def test_lines_markdown_and_junit(make_run, predictions, many_faces, baseline):
    moved = predictions[QUARTER] + 0.1 * (predictions[QUARTER] - many_faces.landmarks)
    result = gate(make_run({DARK: predictions[DARK], QUARTER: moved}, table=many_faces), baseline)
    text = lines(result)
    assert len(text) == 4
    assert text[1].startswith("regressed")
    page = markdown(result).splitlines()
    assert page[0].startswith("### ❌ gate failed: net\\_\\_quarter-offset")
    assert "**regressed**" in page[6], "failed cells are listed first"
    suite = ElementTree.fromstring(junit(result)).find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.find("testcase/failure")
    assert failure.get("type") == "regressed"
    assert "->" in failure.text


def test_hostile_names_are_escaped(make_run, predictions, many_faces):
    run = make_run({("a|b<script>\x01&", "dark", "none", "x"): predictions[DARK]}, table=many_faces)
    result = gate(run, make_baseline(run))
    assert result.passed
    assert ElementTree.fromstring(junit(result)) is not None
    assert "<script>" not in markdown(result)
