"""A map in threads keeps the order, bounds what waits, and raises the first error."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from nmebench.map_ahead import THREADS, map_ahead


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_at_first(number: int) -> int:
        time.sleep(0.01 if number % 5 == 0 else 0)
        return number * number

    assert list(map_ahead(slow_at_first, range(40))) == [number * number for number in range(40)]
    assert list(map_ahead(slow_at_first, [])) == []


def test_few_results_wait() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    results = map_ahead(str, items())
    for taken in range(50):
        next(results)
        assert len(made) <= taken + 2 * THREADS
    results.close()
    assert len(made) < 100


def test_the_first_error_ends_the_map() -> None:
    def refuse(number: int) -> int:
        if number > 2:
            raise ValueError(f"no {number}")
        return number

    results = map_ahead(refuse, range(50))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no 3"):
        next(results)
