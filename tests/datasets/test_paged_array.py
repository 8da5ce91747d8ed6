"""Landmarks of many faces in a file: the same numbers, and memory that is returned."""

from __future__ import annotations

import hashlib
import pickle
import tempfile
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from nmebench.datasets import paged_array
from nmebench.datasets.paged_array import paged, release_pages


def resident_file_pages() -> int:
    """KiB of files' pages in this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))


def test_numbers_are_kept_before_and_after_their_pages_are_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paged_array, "LEAST", 1)
    array = np.random.default_rng(0).normal(size=(300, 5, 2))
    array[7, 1] = np.nan
    moved = paged(array)
    for _ in range(2):
        np.testing.assert_array_equal(moved, array)
        assert hashlib.sha256(memoryview(moved).cast("B")).digest() == hashlib.sha256(array.tobytes()).digest()
        release_pages(moved)
        release_pages(moved[3:, :2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(moved)), array)
    np.testing.assert_array_equal(paged(array[::2, ::-1]), array[::2, ::-1])
    with pytest.raises(ValueError, match="read-only"):
        moved[0] = 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_released_pages_leave_the_process() -> None:
    moved = paged(np.ones(8 << 20))  # 64 MiB
    moved.sum()
    held = resident_file_pages()
    release_pages(moved)
    assert resident_file_pages() < held - (60 << 10)
    assert moved.sum() == 8 << 20


def test_an_array_in_memory_is_left_alone() -> None:
    array = np.arange(3.0)
    assert paged(array) is array
    release_pages(array)
    release_pages(array[1:])
    np.testing.assert_array_equal(array, [0, 1, 2])


def test_without_space_on_the_disk_the_array_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(paged_array, "LEAST", 1)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    array = np.arange(3.0)
    assert paged(array) is array
