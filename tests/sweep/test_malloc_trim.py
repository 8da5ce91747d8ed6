"""Free memory goes back to the system."""

from __future__ import annotations

import sys

import psutil
import pytest

from nmebench.sweep import malloc_trim


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_free_pages_are_given_back() -> None:
    process = psutil.Process()
    blocks = [bytearray(100_000) for _ in range(2000)]  # below the size that is mapped by itself
    last = bytearray(100_000)  # keeps the heap from shrinking from its end
    held = process.memory_info().rss
    blocks.clear()
    assert malloc_trim.give_back_free_memory()
    assert process.memory_info().rss < held - 100_000_000
    assert len(last) == 100_000


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(malloc_trim, "_trim", lambda: None)
    assert not malloc_trim.give_back_free_memory()
