"""The progress over all workers."""

from __future__ import annotations

import pytest

from nmebench.cli import workers
from nmebench.cli.workers import _Pace


def test_the_pace_is_that_of_finished_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(workers, "monotonic", lambda: now)
    pace = _Pace()
    assert pace.text(0, 1000, 0) == "no worker yet"
    now = 110.0
    assert pace.text(200, 1000, 2) == "2 workers, 20 faces per second, 40 s left"
    now = 125.0  # no range was finished since
    assert pace.text(200, 1000, 2) == "2 workers, 20 faces per second, 25 s left"
    now = 190.0
    assert pace.text(200, 1000, 1) == "1 worker, 20 faces per second, 0 s left"
    now = 200.0
    assert pace.text(1000, 1000, 1) == "1 worker, 10 faces per second"


def test_the_pace_leaves_out_faces_of_an_earlier_process(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(workers, "monotonic", lambda: now)
    pace = _Pace()
    assert pace.text(500, 1000, 1) == "1 worker"
    now = 10.0
    assert pace.text(600, 1000, 1) == "1 worker, 10 faces per second, 40 s left"
