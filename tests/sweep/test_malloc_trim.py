"""Free heap memory is returned to the operating system."""

from __future__ import annotations

import os
import subprocess
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
    monkeypatch.setattr(malloc_trim, "_function", lambda _name: None)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    assert not malloc_trim.release_free_memory()
    assert not malloc_trim.free_thresholds()


def test_thresholds_of_glibc_are_left_alone_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    assert not malloc_trim.free_thresholds()


#: Prints how many pages are touched for the first time while 4 MiB are allocated and freed 50 times.
FAULTS = """
import resource, runpy, sys
import numpy as np
if sys.argv[1] == "free":
    assert runpy.run_path(sys.argv[2])["free_thresholds"]()
np.ones(1 << 19)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(1 << 19)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")
def test_freed_memory_is_used_again_although_dask_sets_the_variable() -> None:
    environment = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"}

    def faults(which: str) -> int:
        command = [sys.executable, "-c", FAULTS, which, malloc_trim.__file__]
        return int(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)

    assert faults("free") * 5 < faults("fixed")
