"""Training curves show the numbers of the log, and the same log gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_curves import draw

from nmebench.errors import InputError
from nmebench.training.log import Log


def test_the_same_log_gives_the_same_picture(tmp_path: Path) -> None:
    log = Log(tmp_path / "tiny.jsonl")
    for step in range(1, 5):
        log.write("step", step, loss=1 / step)
        log.write("validation", step, nme=30 / step, size=64 if step < 3 else 128)
    first = draw([log.path], tmp_path / "a.svg").read_bytes()
    assert first == draw([log.path], tmp_path / "b.svg").read_bytes()
    assert b"tiny" in first
    log.write("step", 5, loss=0.01)
    assert first != draw([log.path], tmp_path / "c.svg").read_bytes()


def test_a_file_without_steps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no step"):
        draw([tmp_path / "nothing.jsonl"], tmp_path / "a.svg")
    assert not (tmp_path / "a.svg").exists()
