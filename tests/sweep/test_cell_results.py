"""Finished results survive; missing and damaged batches are computed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.cell_results import CellResults, Result

BATCHES = [np.array([0, 2]), np.array([1, 3]), np.array([4])]


def _result(batch: int, seed: int = 0) -> Result:
    generator, faces = np.random.default_rng([seed, batch]), len(BATCHES[batch])
    return Result(generator.normal(size=(faces, 3, 2)), generator.random((faces, 3)), {"empty": batch + seed})


def _open(folder: Path, key: str = "network") -> CellResults:
    return CellResults(BatchStore.open(folder, "results", key), BATCHES)


def test_reopened_results_know_finished_batches_and_their_values(tmp_path: Path) -> None:
    first = _open(tmp_path)
    for batch in range(3):
        first.write(batch, {"a": _result(batch)})
    again = _open(tmp_path)
    assert [again.missing(batch, ["a", "b"]) for batch in range(3)] == [{"b"}] * 3
    for batch, (rows, results) in enumerate(again.read(["a"])):
        np.testing.assert_array_equal(rows, BATCHES[batch])
        np.testing.assert_array_equal(results["a"].landmarks, _result(batch).landmarks.astype(np.float32))
        np.testing.assert_array_equal(results["a"].confidence, _result(batch).confidence.astype(np.float32))
    assert (again.counts("a"), again.counts("b")) == ({"empty": 3}, {})


def test_results_of_another_cell_are_added_to_the_stored_ones(tmp_path: Path) -> None:
    _open(tmp_path).write(1, {"a": _result(1)})
    _open(tmp_path).write(1, {"b": _result(1, seed=5)})
    again = _open(tmp_path)
    assert again.missing(1, ["a", "b", "c"]) == {"c"}
    assert (again.counts("a"), again.counts("b")) == ({"empty": 1}, {"empty": 6})


def test_damaged_batch_is_computed_again_for_every_cell(tmp_path: Path) -> None:
    results = _open(tmp_path)
    for batch in range(3):
        results.write(batch, {"a": _result(batch), "b": _result(batch)})
    file = results.store.folder / "1.batch"
    sealed = bytearray(file.read_bytes())
    sealed[len(sealed) // 2] ^= 1
    file.write_bytes(sealed)
    again = _open(tmp_path)
    assert [sorted(again.missing(batch, ["a", "b"])) for batch in range(3)] == [[], ["a", "b"], []]
    again.write(1, {"a": _result(1)})
    assert _open(tmp_path).missing(1, ["a", "b"]) == {"b"}


def test_results_of_another_network_are_not_found(tmp_path: Path) -> None:
    _open(tmp_path).write(0, {"a": _result(0)})
    assert _open(tmp_path, "another").missing(0, ["a"]) == {"a"}


def test_batch_that_disappears_during_the_sweep_is_named(tmp_path: Path) -> None:
    results = _open(tmp_path)
    for batch in range(3):
        results.write(batch, {"a": _result(batch)})
    (results.store.folder / "2.batch").unlink()
    with pytest.raises(InputError, match="batch 2 was removed or damaged"):
        list(results.read(["a"]))
