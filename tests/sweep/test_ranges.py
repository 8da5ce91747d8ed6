"""Ranges of batches, and sweeps that compute their batches apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nmebench.sweep import SweepConfiguration, execute
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.configuration import validate
from nmebench.sweep.execute import compute_batches, prepare, run_prepared
from nmebench.sweep.ranges import BatchRange, split_batches, split_plan

FILES = ("scores.csv", "per_face.parquet", "faces.parquet", "thumbnails.parquet")


@pytest.fixture(scope="module")
def configuration() -> SweepConfiguration:
    raw = {
        "data": "synthface",
        "limit": 40,
        "models": [{"card": "synthface-mobilenetv3"}, {"card": "oracle"}],
        "decoders": ["argmax", "dark"],
        "batch_size": 8,
        "engine": "torch",
        "threads": 1,
    }
    return validate(raw, where="the test")


@pytest.mark.parametrize("faces", [1, 7, 8, 100])
def test_every_batch_is_in_exactly_one_range(faces: int) -> None:
    batches = [np.arange(start, min(start + 8, 43)) for start in range(0, 43, 8)]
    ranges = split_batches(batches, faces)
    assert [number for part in ranges for number in part] == list(range(len(batches)))
    assert all(sum(len(batches[number]) for number in part) >= faces for part in ranges[:-1])


def test_batches_computed_apart_in_any_order_give_the_same_run(
    tmp_path: Path, configuration: SweepConfiguration
) -> None:
    execute(configuration, tmp_path / "whole")
    prepared, work = prepare(configuration), tmp_path / "work"
    work.mkdir()
    ranges = split_plan(prepared.plan, 16)
    assert ranges[0] == BatchRange(0, 0, 2)
    for part in reversed(ranges):
        compute_batches(prepare(configuration), work, {part.network: part.batches})
    computed: list[int] = []
    (tmp_path / "apart").mkdir()
    run_prepared(prepared, work, tmp_path / "apart", progress=lambda _, done, total: computed.append(done))
    assert set(computed) == {40}  # nothing was left to compute
    for name in FILES:
        assert (tmp_path / "apart" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    for kind in ("landmarks", "confidence"):
        for path in sorted((tmp_path / "whole" / kind).iterdir()):
            assert (tmp_path / "apart" / kind / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_sealed_batch_moves_between_stores_unchanged(tmp_path: Path) -> None:
    here, there = BatchStore.open(tmp_path, "here", "00"), BatchStore.open(tmp_path, "there", "00")
    here.write(3, {"values": np.arange(5)})
    sealed = here.read_sealed(3)
    assert sealed is not None
    there.write_sealed(3, sealed)
    stored = there.read(3)
    assert stored is not None
    np.testing.assert_array_equal(stored["values"], np.arange(5))


def test_a_damaged_batch_is_refused(tmp_path: Path) -> None:
    store = BatchStore.open(tmp_path, "here", "00")
    store.write(3, {"values": np.arange(5)})
    sealed = bytearray(store.read_sealed(3) or b"")
    sealed[-1] ^= 1
    with pytest.raises(ValueError, match="batch 4: the bytes don't match their hash"):
        store.write_sealed(4, bytes(sealed))
    assert 4 not in store
