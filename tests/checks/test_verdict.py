"""Tests of the verdict: counts, exit code and summary."""

from __future__ import annotations

import pytest

from nmebench.checks import Verdict
from nmebench.checks.verdict import CauseFinding, VerdictRow


def row(status, reason="because", **fields):
    values = {
        "model": "net",
        "dataset": "wflw",
        "table": "t",
        "metric": "nme",
        "subset": "test",
        "reported": 4.0,
        "reported_text": "4.00",
        "allowed": "3.995 to 4.005",
        "source": "s",
    }
    return VerdictRow(**{**values, **fields}, status=status, reason=reason)


@pytest.mark.parametrize(
    ("statuses", "code", "summary"),
    [
        pytest.param([], 3, "nothing to compare: no reported numbers are known for these models", id="none"),
        pytest.param(["reproduced"], 0, "1 reported number: 1 reproduced", id="one"),
        pytest.param(["reproduced", "deviates", "not run"], 1, None, id="deviates"),
        pytest.param(["not run", "reproduced"], 0, "2 reported numbers: 1 reproduced, 1 not run (because)", id="two"),
        pytest.param(["not run", "not run"], 3, "2 reported numbers: 2 not run (because)", id="all-not-run"),
        pytest.param(["deviates", "deviates"], 1, "2 reported numbers: 2 deviate", id="all-deviate"),
        pytest.param(["not comparable"], 3, "1 reported number: 1 not comparable (because)", id="not-comparable"),
    ],
)
def test_exit_code_and_summary(statuses, code, summary):
    verdict = Verdict(rows=tuple(row(status) for status in statuses))
    assert verdict.exit_code == code
    assert verdict.summary == (summary or "3 reported numbers: 1 reproduced, 1 deviates, 1 not run (because)")
    assert all(verdict.count(status) == statuses.count(status) for status in {*statuses, "deviates"})


def test_a_common_reason_must_be_the_reason_of_all_rows():
    rows = (row("not run", "a"), row("not run", "b"), row("not run", "b"), row("reproduced", "c"))
    assert Verdict(rows=rows).summary == "4 reported numbers: 1 reproduced, 3 not run"


def test_verdict_of_another_version_is_read():
    stored = {"schema_version": 1, "rows": [], "later": True}
    assert Verdict.model_validate(stored).schema_version == Verdict(rows=()).schema_version == 1


def test_finding_of_a_cause_that_was_not_tested():
    finding = CauseFinding(cause="a", detail="b")
    assert (finding.explains, finding.explained, finding.overrides, finding.nme) == (False, None, {}, {})
