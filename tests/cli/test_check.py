"""``nmebench check``: exit codes, and one write of ``verdict.json``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nmebench.checks import Verdict
from nmebench.runs.run_store import Run

Call = Callable[..., Any]


@pytest.mark.parametrize(
    ("reported", "arguments", "code"),
    [
        pytest.param(4.0, [], 0, id="reproduced"),
        pytest.param(3.0, ["--no-explain"], 1, id="deviates"),
        pytest.param(3.0, [], 1, id="deviates with causes"),
    ],
)
def test_verdict_is_written_once(
    nmebench: Call,
    make_reported_run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    reported: float,
    arguments: list[str],
    code: int,
) -> None:
    # A run of the kind "score" has no network to run again, so causes are tested from its landmarks only.
    run = make_reported_run(reported, kind="score")
    written: list[str] = []
    write_json = Run.write_json

    def count(self: Run, name: str, value: Any) -> None:
        written.append(name)
        write_json(self, name, value)

    monkeypatch.setattr(Run, "write_json", count)
    result = nmebench("check", run.path, *arguments)
    assert result.code == code, result.err
    assert written == ["verdict.json"]
    verdict = Verdict.model_validate(run.read_json("verdict.json"))
    assert verdict.exit_code == code
    assert any(row.causes for row in verdict.rows) == (code == 1 and not arguments)
    assert f"check: {verdict.summary}" in result.out


def test_run_without_reported_numbers_is_not_comparable(nmebench: Call, make_run: Callable[..., Run]) -> None:
    run = make_run({("net", "dark", "flip+shift", "landmarks"): 4.0})
    assert nmebench("check", run.path).code == 3
