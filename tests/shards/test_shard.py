"""The numbers of shards, and the batches of each."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.shards import Shard


def make_plan(*networks: tuple[int, str, bool]) -> SimpleNamespace:
    """A plan of networks, each with its faces, flip test and whether it reads images, in batches of 8."""
    return SimpleNamespace(
        networks=[
            SimpleNamespace(
                batches=[np.arange(start, min(start + 8, faces)) for start in range(0, faces, 8)],
                flips=("none",) if flip == "none" else ("none", flip),
                reads_images=reads_images,
            )
            for faces, flip, reads_images in networks
        ]
    )


def faces_of(plan: SimpleNamespace, shard: Shard) -> int:
    chosen = shard.batches(plan)  # type: ignore[arg-type]
    return sum(len(plan.networks[number].batches[batch]) for number, part in chosen.items() for batch in part)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 64, 200])
def test_every_batch_is_in_exactly_one_shard(count: int) -> None:
    plan = make_plan((43, "none", True), (43, "flip", True), (43, "none", False), (43, "none", True))
    found: list[tuple[int, int]] = []
    for index in range(1, count + 1):
        for network, part in Shard(index, count).batches(plan).items():  # type: ignore[arg-type]
            found += [(network, batch) for batch in part]
    assert found == [(network, batch) for network in range(4) for batch in range(6)]


def test_shards_hold_equal_numbers_of_faces_up_to_a_batch() -> None:
    plan = make_plan(*[(10_000, "none", True)] * 20)
    faces = [faces_of(plan, Shard(index, 64)) for index in range(1, 65)]
    assert sum(faces) == 200_000
    assert max(faces) - min(faces) <= 2 * 8
    networks = [len(Shard(index, 64).batches(plan)) for index in range(1, 65)]  # type: ignore[arg-type]
    assert max(networks) == 2


def test_a_flip_test_counts_as_a_second_pass() -> None:
    plan = make_plan((800, "none", True), (800, "flip", True))
    assert Shard(1, 3).batches(plan) == {0: range(100)}  # type: ignore[arg-type]
    assert Shard(2, 3).batches(plan) == {1: range(50)}  # type: ignore[arg-type]


def test_a_network_without_passes_joins_the_shard_of_another() -> None:
    plan = make_plan((80, "none", False), (80, "none", True))
    assert Shard(1, 2).batches(plan) == {0: range(10), 1: range(5)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2", "--shard '2': give NUMBER/COUNT, such as 2/8 for the second of 8 parts"),
        ("2/8/1", "--shard '2/8/1': give NUMBER/COUNT, such as 2/8 for the second of 8 parts"),
        ("-1/8", "--shard '-1/8': give NUMBER/COUNT, such as 2/8 for the second of 8 parts"),
        ("0/8", "--shard 0/8: shards are numbered from 1; add 1 to an index that begins at 0"),
        ("9/8", "--shard 9/8: the number 9 must be in 1 to 8"),
        ("1/0", "--shard 1/0: the count 0 must be in 1 to 10000"),
        ("1/10001", "--shard 1/10001: the count 10001 must be in 1 to 10000"),
    ],
)
def test_other_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Shard.parse(text)
    assert str(caught.value) == message
