"""Clocks add up seconds by stage, from several threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nmebench.sweep.clock import Clock, Clocks


def test_seconds_add_up_from_many_threads() -> None:
    clock = Clock()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(4000):
            pool.submit(clock.spend, "decode", 0.5)
    assert clock["decode"] == 2000
    assert clock["nothing"] == 0
    assert clock.rounded() == {"decode": 2000.0}


def test_wall_clock_counts_waiting_and_processor_time_does_not() -> None:
    clock = Clock()
    with clock.wall("sleep"):
        time.sleep(0.05)
    with clock.processor("sleep, processor time"):
        time.sleep(0.05)
    assert clock["sleep"] >= 0.05
    assert clock["sleep, processor time"] < 0.04


def test_block_that_raises_is_not_counted() -> None:
    clock = Clock()
    with pytest.raises(KeyError), clock.wall("a"):
        raise KeyError
    assert clock.rounded() == {}


def test_clocks_add() -> None:
    total, part = Clocks(), Clocks()
    total.stages.spend("forward", 1)
    part.stages.spend("forward", 2)
    part.workers.spend("read", 3)
    total.add(part)
    assert total.rounded() == {"stages": {"forward": 3.0}, "workers": {"read": 3.0}}
