"""The report: counted findings and JSON."""

from __future__ import annotations

import json
from typing import Any

from nmebench.datasets.verify import verify


def test_findings_beyond_the_limit_are_counted(tiny: Any) -> None:
    tokens = tiny.attr.read_text().splitlines()[0].split(" ")
    tiny.attr.write_text("\n".join(" ".join(tokens[1:]) for _ in range(70)))
    report = verify(tiny.attr)
    assert sum(finding.code == "columns" for finding in report.findings) == 51
    assert any(finding.message == "and 20 more lines of this kind" for finding in report.findings)


def test_report_converts_to_json(tiny: Any) -> None:
    tiny.csv.write_text("")
    table = json.loads(json.dumps(verify(tiny.root).as_dict()))
    assert table["ok"] is False
    assert table["errors"] == 1
    assert {"severity", "code", "file", "line", "message"} == set(table["findings"][0])
