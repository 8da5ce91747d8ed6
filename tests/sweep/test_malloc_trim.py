"""Free heap memory is returned to the operating system."""

from __future__ import annotations

import sys

import psutil
import pytest

from nmebench.sweep import malloc_trim


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")
def test_free_pages_are_released() -> None:
    process = psutil.Process()
    blocks = [bytearray(100_000) for _ in range(2000)]  # smaller than the blocks that malloc maps separately
    last = bytearray(100_000)  # keeps the heap from shrinking at its end
    before = process.memory_info().rss
    blocks.clear()
    assert malloc_trim.release_free_memory()
    assert process.memory_info().rss < before - 100_000_000
    assert len(last) == 100_000


def test_other_c_libraries_are_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(malloc_trim, "_malloc_trim", lambda: None)
    assert not malloc_trim.release_free_memory()
