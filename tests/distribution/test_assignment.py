"""Which worker computes which batches next."""

from __future__ import annotations

import pytest

from nmebench.distribution import assignment
from nmebench.distribution.assignment import Assignment, Range


def taken(work: Assignment, process: str = "a", networks: tuple[int, ...] = (0, 1), workers: int = 2) -> Range:
    one = work.take(process, workers=workers, networks=networks)
    assert one is not None
    return one


def test_every_batch_is_given_out_once_and_a_lost_range_again() -> None:
    work = Assignment({0: dict.fromkeys(range(40), 16), 1: {3: 5}})
    found: list[tuple[int, int]] = []
    lost = False
    while not work.finished:
        one = taken(work)
        if not lost and len(found) > 10:
            lost = True
            work.give_back(one)
            assert taken(work) is one
        found += [(one.network, number) for number in one.batches]
        work.finish(one)
    assert sorted(found) == [(0, number) for number in range(40)] + [(1, 3)]
    assert work.faces_unfinished == 0


def test_a_range_takes_some_seconds_and_the_last_ones_are_shorter() -> None:
    work = Assignment({0: dict.fromkeys(range(1000), 10)})
    first = taken(work)
    assert first.faces == 70  # of an unknown network: at least 64 faces
    work.learn(first, seconds=7.0)  # 0.1 s per face
    work.finish(first)
    sizes = []
    while not work.finished:
        one = taken(work, workers=4)
        sizes.append(one.faces)
        work.learn(one, seconds=0.1 * one.faces)
        work.finish(one)
    assert sizes[0] == assignment.SECONDS / 0.1
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-2] * 0.1 <= 2 * assignment.SHORTEST


def test_the_last_range_of_a_single_worker_is_not_shorter() -> None:
    work = Assignment({0: dict.fromkeys(range(30), 10)})
    first = taken(work, workers=1)
    work.learn(first, seconds=7.0)  # 0.1 s per face
    assert [taken(work, workers=1).faces for _ in range(2)] == [200, 30]


def test_a_range_holds_no_more_faces_than_its_network_allows() -> None:
    work = Assignment({0: dict.fromkeys(range(20), 16), 1: {0: 100}}, {0: 40, 1: 40})
    first = taken(work, "a", networks=(0,))
    assert first.faces == 48  # the batch with which it reaches 40
    work.learn(first, seconds=1e-3)
    assert taken(work, "a", networks=(0,)).faces == 48
    assert taken(work, "b", networks=(1,)).faces == 100  # one batch at least
    assert work.faces_left == 320 - 2 * 48


@pytest.mark.parametrize("gap", [3, 4])
def test_a_range_holds_consecutive_batches(gap: int) -> None:
    work = Assignment({0: {number: 1 for number in range(10) if number != gap}})
    assert taken(work).batches == tuple(range(gap))
    assert taken(work).batches == tuple(range(gap + 1, 10))


def test_a_worker_stays_with_its_network_and_others_take_the_rest() -> None:
    work = Assignment({0: dict.fromkeys(range(9), 64), 1: dict.fromkeys(range(8), 64)})
    assert [taken(work, "a").network, taken(work, "b").network] == [0, 1]
    assert [taken(work, "a").network for _ in range(3)] == [0, 0, 0]
    assert taken(work, "b").network == 1
    assert taken(work, "c", networks=(1,)).network == 1
    work.forget("a")
    assert taken(work, "d").network == 0  # nobody has it loaded any more


def test_a_failed_range_goes_to_another_worker_where_there_is_one() -> None:
    work = Assignment({0: {0: 64}})
    one = taken(work, "a")
    one.failures.append(("a", "killed"))
    work.give_back(one)
    assert work.take("a", workers=2, networks=[0], others={"a", "b"}) is None
    assert work.take("b", workers=2, networks=[0], others={"a", "b"}) is one
    one.failures.append(("b", "killed"))
    work.give_back(one)
    assert work.take("a", workers=2, networks=[0], others={"a", "b"}) is one  # both have failed


def test_a_worker_loads_no_network_that_others_finish_before() -> None:
    work = Assignment({0: dict.fromkeys(range(10), 64), 1: dict.fromkeys(range(2), 64)})
    first, second = taken(work, "a"), taken(work, "b", networks=(1,))
    assert [first.network, second.network] == [0, 1]
    work.learn(first, seconds=6.4, start=10.0)  # 0.1 s per face, so that 9 batches take 57.6 s
    assert taken(work, "c", networks=(0,)).network == 0  # 8 batches or less, of two workers: 25 s or less each
    assert work.take("d", workers=4, networks=[0]) is not None  # worth 10 s
    work.learn(first, seconds=6.4, start=90.0)  # 50 s in the mean
    assert work.take("e", workers=4, networks=[0]) is None
    assert work.take("a", workers=4, networks=[0]) is not None  # has it loaded
    assert work.take("e", workers=4, networks=[1]) is not None  # its time is not known
    for process in "abcd":
        work.forget(process)
    assert work.take("e", workers=4, networks=[0]) is not None  # nobody else has it


def test_a_worker_loads_a_network_whose_last_range_failed_where_it_is_loaded() -> None:
    work = Assignment({0: {0: 64}})
    one = taken(work, "a", networks=(0,))
    work.learn(one, seconds=6.4, start=100.0)
    one.failures.append(("a", "killed"))
    work.give_back(one)
    assert work.take("a", workers=2, networks=[0], others={"a", "b"}) is None
    assert work.take("b", workers=2, networks=[0], others={"a", "b"}) is one
