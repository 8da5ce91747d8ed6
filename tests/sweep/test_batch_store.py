"""The batch store returns stored arrays unchanged, and a damaged file reads as missing."""

from __future__ import annotations

import ast
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.sweep.batch_store import BatchStore, check_budget


@pytest.fixture
def store(tmp_path: Path) -> BatchStore:
    store = BatchStore.open(tmp_path, "crops", "0" * 64)
    store.write(3, {"a": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.asarray(7)})
    return store


def test_arrays_are_returned_with_type_and_shape(store: BatchStore, tmp_path: Path) -> None:
    stored = BatchStore.open(tmp_path, "crops", "0" * 64).read(3)
    assert stored is not None
    assert (stored["a"].dtype, stored["a"].tolist(), stored["b"].item()) == (np.float16, [[0, 1, 2], [3, 4, 5]], 7)
    assert (3 in store, 4 in store, store.read(4)) == (True, False, None)


def test_array_that_is_not_contiguous_is_stored_in_its_order(store: BatchStore) -> None:
    array = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[::2]
    store.write(5, {"a": array})
    stored = store.read(5)
    assert stored is not None
    np.testing.assert_array_equal(stored["a"], array)


def test_batches_are_read_without_the_parser_of_python(store: BatchStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11's parser fails at random where several threads call it."""

    def fail(*_: object, **__: object) -> None:
        raise SystemError("AST constructor recursion depth mismatch")

    monkeypatch.setattr(ast, "parse", fail)
    monkeypatch.setattr(ast, "literal_eval", fail)
    store.write(4, {"a": np.zeros((2, 3))})
    assert store.read(4) is not None


def test_stores_of_other_kinds_and_keys_are_separate(store: BatchStore, tmp_path: Path) -> None:
    assert BatchStore.open(tmp_path, "heatmaps", "0" * 64).read(3) is None
    assert BatchStore.open(tmp_path, "crops", "1" * 64).read(3) is None


@pytest.mark.parametrize("bytes_left", [0, 1, 31, 32, 33, 100])
def test_file_cut_short_reads_as_missing(store: BatchStore, bytes_left: int) -> None:
    (file,) = store.folder.iterdir()
    file.write_bytes(file.read_bytes()[:bytes_left])
    assert store.read(3) is None


def test_any_changed_byte_reads_as_missing(store: BatchStore) -> None:
    (file,) = store.folder.iterdir()
    sealed = file.read_bytes()
    for position in range(len(sealed)):
        file.write_bytes(sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :])
        assert store.read(3) is None
    file.write_bytes(sealed)
    assert store.read(3) is not None


def test_batch_can_be_replaced(store: BatchStore) -> None:
    store.write(3, {"a": np.zeros(1)})
    stored = store.read(3)
    assert stored is not None
    assert list(stored) == ["a"]


def test_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "crops").write_text("")
    with pytest.raises(InputError, match=r"crops.*NMEBENCH_CACHE"):
        BatchStore.open(tmp_path, "crops", "0" * 64)


def test_budget() -> None:
    check_budget("crops", 2**30, 2**30)
    with pytest.raises(InputError, match=r"crops.*2\.00 GiB, allowed: 1\.00 GiB.*--cache-budget"):
        check_budget("crops", 2**31, 2**30)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00."], ids=["empty", "zip", "pickle"])
def test_sealed_file_that_holds_no_arrays_reads_as_missing(tmp_path: Path, content: bytes) -> None:
    store = BatchStore.open(tmp_path, "crops", "key")
    (store.folder / "0.batch").write_bytes(hashlib.sha256(content).digest() + content)
    assert store.read(0) is None


def test_pipe_reads_as_missing(tmp_path: Path) -> None:
    store = BatchStore.open(tmp_path, "crops", "key")
    os.mkfifo(store.folder / "0.batch")
    assert store.read(0) is None


def test_one_array_is_read_alone(store: BatchStore) -> None:
    content = np.frombuffer(b'{"a": 1}', np.uint8)
    store.write(5, {"a": np.arange(7, dtype=np.float32), "cells": content, "z": np.zeros((2, 3))})
    found = store.read_one(5, "cells")
    assert found is not None
    assert found.tobytes() == content.tobytes()
    assert store.read_one(5, "other") is None
    assert store.read_one(6, "cells") is None
    (store.folder / "5.batch").write_bytes((store.folder / "5.batch").read_bytes()[:-1] + b"\1")
    assert store.read_one(5, "cells") is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x02" + 7 * b"\0" + b"[]"], ids=["empty", "zip", "list"])
def test_one_array_of_a_file_without_arrays_reads_as_missing(tmp_path: Path, content: bytes) -> None:
    store = BatchStore.open(tmp_path, "results", "key")
    (store.folder / "0.batch").write_bytes(hashlib.sha256(content).digest() + content)
    assert store.read_one(0, "cells") is None
