"""The tool that measures engines."""

from __future__ import annotations

from measure_engines import measure
from torch import nn


def test_measure_returns_one_timing_per_engine_and_batch_size(small: nn.Module) -> None:
    timings = measure(small, ["torch"], batches=(1, 2), size=(64, 32), rounds=2)
    assert [(t.engine, t.batch) for t in timings] == [("eager", 1), ("torch", 1), ("eager", 2), ("torch", 2)]
    assert all(t.wall_ms > 0 and t.difference < 1e-5 for t in timings)
