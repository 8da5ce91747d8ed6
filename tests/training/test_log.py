"""The training log: complete lines are read, a half-written last one is ignored, damage is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from nmebench.errors import InputError
from nmebench.training import log

START = '{"event": "start", "step": 0}\n'


def test_half_written_last_line_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(START + '{"event": "st')
    assert log.read(tmp_path / "log.jsonl") == [{"event": "start", "step": 0}]


def test_cut_removes_a_half_written_line_before_the_next_one(tmp_path: Path) -> None:
    """A run that was killed before its first checkpoint appends to the log again."""
    made = log.Log(tmp_path / "log.jsonl")
    made.path.write_text(START + '{"event": "step", "step": 20}\n{"event": "st')
    made.cut(0)
    made.write("start", 0)
    assert [entry["event"] for entry in log.read(made.path)] == ["start", "start"]


def test_cut_of_a_new_log_writes_nothing(tmp_path: Path) -> None:
    log.Log(tmp_path / "log.jsonl").cut(0)
    assert not (tmp_path / "log.jsonl").exists()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{", id="cut"),
        pytest.param("[" * 100_000, id="nested"),
        pytest.param('{"step": ' + "9" * 5000 + "}", id="digits"),
        pytest.param("3", id="number"),
        pytest.param('{"event": "start"}', id="no step"),
        pytest.param('{"event": "start", "step": "1"}', id="text"),
        pytest.param("\0" * 40, id="zeros of a crashed file system"),
    ],
)
def test_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "log.jsonl").write_text(START + line + "\n" + START)
    with pytest.raises(InputError, match=r"training log .*log.jsonl: line 2.*; remove the line"):
        log.read(tmp_path / "log.jsonl")
