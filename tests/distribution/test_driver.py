"""The driver of a distributed sweep, on two workers inside this process."""

from __future__ import annotations

import errno
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nmebench.distribution import assignment, driver, storing, worker
from nmebench.distribution.clusters import Connection
from nmebench.distribution.driver import Driver, distribute
from nmebench.distribution.messages import RangeReply, RangeRequest, Refusal
from nmebench.distribution.stored_batches import StoredBatches
from nmebench.errors import InputError
from nmebench.sweep import execute
from nmebench.sweep.configuration import SweepConfiguration, validate
from nmebench.sweep.execute import Filled, Prepared, prepare, run_prepared


class Compute:
    """Computes ranges as a worker does, after a test's function has seen each request and its number."""

    def __init__(self, before: Any = None, after: Any = None) -> None:
        self.requests: list[RangeRequest] = []
        self._lock = threading.Lock()
        self._before, self._after = before, after

    def __call__(self, request: RangeRequest) -> RangeReply | Refusal:
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
        if self._before is not None:
            self._before(number, request)
        reply = worker.compute_range(request)
        return reply if self._after is None else self._after(number, request, reply)

    def __reduce__(self) -> Any:
        """Stay this object in a worker, which is in the same process."""
        _OBJECTS[id(self)] = self
        return _object, (id(self),)

    @property
    def batches(self) -> Counter[int]:
        """How often each batch was requested."""
        return Counter(number for request in self.requests for number in request.batches)


_OBJECTS: dict[int, Any] = {}


def _object(key: int) -> Any:
    return _OBJECTS[key]


FILES = ("scores.csv", "per_face.parquet", "faces.parquet")


def same_bytes(one: Path, other: Path) -> bool:
    """Return True if two run folders hold the same bytes, apart from provenance and times."""
    names = [*FILES, *(f"landmarks/{path.name}" for path in (one / "landmarks").iterdir())]
    names += [f"confidence/{path.name}" for path in (one / "confidence").iterdir()]
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


@pytest.fixture(autouse=True)
def short_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges of two batches."""
    monkeypatch.setattr(assignment, "FIRST_FACES", 8)
    monkeypatch.setattr(assignment, "SECONDS", 1e-6)
    monkeypatch.setattr(assignment, "SHORTEST", 1e-6)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, configuration: SweepConfiguration) -> Path:
    """The run without workers."""
    folder = tmp_path_factory.mktemp("alone")
    execute(configuration, folder / "run")
    return folder / "run"


def fill(prepared: Prepared, connection: Connection, work: Path, compute: Compute, **options: Any) -> Filled:
    """Distribute a sweep; the work folder is created."""
    work.mkdir(exist_ok=True)
    return Driver(prepared, work, connection, compute=compute, **options).run()


def stored(prepared: Prepared, work: Path, out: Path) -> Path:
    """The run of a filled work folder, which computes nothing."""
    out.mkdir()
    done: list[int] = []
    run_prepared(prepared, work, out, progress=lambda _label, finished, _total: done.append(finished))
    assert set(done) == {len(prepared.plan.dataset)}
    return out


def test_workers_give_the_bytes_of_a_run_without_workers(
    prepared: Prepared, connection: Connection, tmp_path: Path, expected: Path
) -> None:
    compute, shown = Compute(), []
    filled = fill(prepared, connection, tmp_path / "work", compute, progress=lambda *numbers: shown.append(numbers))
    assert same_bytes(expected, stored(prepared, tmp_path / "work", tmp_path / "out"))
    assert compute.batches == Counter(range(12))
    assert filled.summary["batches"] == 12
    assert filled.summary["lost_ranges"] == filled.summary["compared_batches"] == 0
    assert shown[-1] == (48, 48, 2)


def test_the_run_records_its_machines_and_the_times_of_its_workers(
    configuration: SweepConfiguration, connection: Connection, tmp_path: Path
) -> None:
    run = execute(configuration, tmp_path / "run", fill=lambda one, work: distribute(one, work, connection))
    (machine,) = run.record.provenance.workers
    assert machine.faces == 48
    assert machine.arithmetic["threads"] == "1"
    assert run.timings["distribution"]["batches"] == 12
    assert run.timings["workers"]["decode dark"] > 0


def test_a_failed_range_is_computed_again(
    prepared: Prepared, connection: Connection, tmp_path: Path, expected: Path
) -> None:
    def fail(number: int, _request: RangeRequest) -> None:
        if number in (1, 2):
            raise RuntimeError("the disk is gone")

    lines: list[str] = []
    filled = fill(prepared, connection, tmp_path / "work", Compute(fail), report=lines.append)
    assert filled.summary["lost_ranges"] == 2
    assert "RuntimeError: the disk is gone; its range is computed again" in lines[0]
    assert same_bytes(expected, stored(prepared, tmp_path / "work", tmp_path / "out"))


def test_a_range_that_fails_three_times_ends_the_sweep_and_the_rest_is_kept(
    prepared: Prepared, connection: Connection, tmp_path: Path, expected: Path, configuration: SweepConfiguration
) -> None:
    processes = []

    def fail(_number: int, request: RangeRequest) -> None:
        if 6 in request.batches:
            processes.append(request.process)
            raise RuntimeError("out of luck")

    with pytest.raises(InputError, match=r"model 'oracle': batches 6 to 7 failed 3 times, at last: .*out of luck"):
        fill(prepared, connection, tmp_path / "work", Compute(fail))
    assert len(processes) == 3
    compute = Compute()
    fill(prepared, connection, tmp_path / "work", compute)
    assert {6, 7} <= compute.batches.keys()
    assert 0 not in compute.batches
    assert same_bytes(expected, stored(prepared, tmp_path / "work", tmp_path / "out"))


def test_bad_input_ends_the_sweep_at_once(prepared: Prepared, connection: Connection, tmp_path: Path) -> None:
    def fail(_number: int, _request: RangeRequest) -> None:
        raise InputError("0.jpg: is no photograph")

    compute = Compute(fail)
    with pytest.raises(InputError, match=r"^0\.jpg: is no photograph$"):
        fill(prepared, connection, tmp_path / "work", compute)
    assert len(compute.requests) <= 4


@pytest.mark.parametrize("damage", ["flipped bit", "missing batch", "other batch"])
def test_damaged_results_are_computed_again(
    prepared: Prepared, connection: Connection, tmp_path: Path, expected: Path, damage: str
) -> None:
    def change(number: int, request: RangeRequest, reply: RangeReply) -> RangeReply:
        if number != 1:
            return reply
        first, results = request.batches[0], dict(reply.results)
        sealed = bytearray(results.pop(first))
        if damage == "flipped bit":
            sealed[-9] ^= 1
            results[first] = bytes(sealed)
        elif damage == "other batch":
            results[first + 100] = bytes(sealed)
        return replace(reply, results=results)

    lines: list[str] = []
    filled = fill(prepared, connection, tmp_path / "work", Compute(after=change), report=lines.append)
    assert filled.summary["lost_ranges"] == 1
    assert "returned damaged results" in lines[0]
    assert same_bytes(expected, stored(prepared, tmp_path / "work", tmp_path / "out"))


def test_a_worker_that_hangs_is_given_up(
    prepared: Prepared, connection: Connection, tmp_path: Path, expected: Path, cluster: Any
) -> None:
    released = threading.Event()

    def hang(number: int, _request: RangeRequest) -> None:
        if number == 0:
            released.wait(30)

    lines: list[str] = []
    try:
        filled = fill(prepared, connection, tmp_path / "work", Compute(hang), time_limit=1.0, report=lines.append)
    finally:
        released.set()
    assert any("took longer than 1 s" in line for line in lines)
    assert filled.summary["lost_ranges"] == 1
    assert same_bytes(expected, stored(prepared, tmp_path / "work", tmp_path / "out"))


@pytest.mark.parametrize(("item", "theirs"), [("numpy", "1.0"), ("the code of nmebench", "0123abcd"), ("torch", None)])
def test_a_worker_with_other_software_is_refused(
    prepared: Prepared, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, item: str, theirs: Any
) -> None:
    def other() -> Any:
        facts = worker.introduce()
        software = {name: value for name, value in facts.software.items() if name != item}
        return replace(facts, software=software if theirs is None else software | {item: theirs})

    monkeypatch.setattr(driver, "introduce", other)
    monkeypatch.setattr(driver, "_AFTER_REFUSAL", 0.2)
    difference = f"has {item} {theirs}, and the driver" if theirs else f"lacks {item}"
    with pytest.raises(InputError, match=rf"no worker can compute this sweep: worker .* on .* {difference}"):
        fill(prepared, connection, tmp_path / "work", Compute())


class Kinds:
    """Gives each Dask worker a process and a kind of machine of its own."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def introduce(self) -> Any:
        from distributed import get_worker

        facts = worker.introduce()
        name = get_worker().address
        kind = self.names.setdefault(name, f"processor {len(self.names)}")
        return replace(facts, arithmetic={**facts.arithmetic, "processor": kind}, host=kind.replace(" ", "-"))

    def __reduce__(self) -> Any:
        _OBJECTS[id(self)] = self
        return _object, (id(self),)


def test_another_kind_of_machine_computes_one_batch_twice(
    prepared: Prepared, connection: Connection, tmp_path: Path, expected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "introduce", Kinds().introduce)
    filled = fill(prepared, connection, tmp_path / "work", Compute())
    assert filled.summary["compared_batches"] == 1
    assert filled.summary["batches"] == 12
    assert same_bytes(expected, stored(prepared, tmp_path / "work", tmp_path / "out"))


def test_a_machine_that_gives_other_bits_is_refused_with_the_difference(
    prepared: Prepared, connection: Connection, tmp_path: Path, expected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nmebench.sweep.batch_store import BatchStore, unseal

    def change(_number: int, request: RangeRequest, reply: RangeReply) -> RangeReply:
        if request.check is None:
            return reply
        arrays = unseal(reply.results[request.check]) or {}
        store = BatchStore.open(tmp_path, "changed", "00")
        store.write(0, arrays | {"landmarks": arrays["landmarks"] + 0.25})
        return replace(reply, results={**reply.results, request.check: store.read_sealed(0) or b""})

    monkeypatch.setattr(driver, "introduce", Kinds().introduce)
    lines: list[str] = []
    filled = fill(prepared, connection, tmp_path / "work", Compute(after=change), report=lines.append)
    assert filled.summary["workers"] == 1
    assert any("gives other landmarks of oracle" in line and "differs by up to 0.25 px" in line for line in lines)
    assert same_bytes(expected, stored(prepared, tmp_path / "work", tmp_path / "out"))


def test_a_worker_that_joins_late_takes_part(
    prepared: Prepared, connection: Connection, tmp_path: Path, cluster: Any
) -> None:
    addresses: set[str] = set()
    arrived = threading.Event()

    def join(number: int, _request: RangeRequest) -> None:
        from distributed import get_worker

        addresses.add(get_worker().address)
        if number == 0:
            cluster.scale(3)
        if len(addresses) == 3:
            arrived.set()
        arrived.wait(20)

    fill(prepared, connection, tmp_path / "work", Compute(join))
    cluster.scale(2)
    assert len(addresses) == 3


def test_a_worker_that_leaves_is_replaced(
    prepared: Prepared, connection: Connection, tmp_path: Path, cluster: Any, expected: Path
) -> None:
    def leave(number: int, _request: RangeRequest) -> None:
        if number == 1:
            cluster.scale(1)
            time.sleep(0.5)

    fill(prepared, connection, tmp_path / "work", Compute(leave))
    cluster.scale(2)
    assert same_bytes(expected, stored(prepared, tmp_path / "work", tmp_path / "out"))


def test_an_earlier_process_at_the_same_address_is_noticed(
    prepared: Prepared, connection: Connection, tmp_path: Path
) -> None:
    def restarted(number: int, _request: RangeRequest, reply: Any) -> Any:
        return Refusal("was restarted", restarted=True) if number == 0 else reply

    filled = fill(prepared, connection, tmp_path / "work", Compute(after=restarted))
    assert filled.summary["batches"] == 12
    assert filled.summary["lost_ranges"] == 0


def test_no_worker_at_all_ends_the_sweep(prepared: Prepared, tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as empty:
        connection = Connection(lambda: Client(empty, set_as_default=False), patience=0.3)
        with pytest.raises(InputError, match=r"no worker joined for 0 s; start one with `dask worker`"):
            fill(prepared, connection, tmp_path / "work", Compute())
        connection.close()


def test_a_network_in_memory_is_refused(configuration: SweepConfiguration, tmp_path: Path) -> None:
    from nmebench import models
    from nmebench.sweep.configuration import ModelRequest

    request = ModelRequest.of(models.card.load("oracle"))
    one = prepare(configuration.model_copy(update={"models": (request,)}))
    with pytest.raises(InputError, match=r"model 'oracle' is a network in memory, which workers can't load"):
        Driver(one, tmp_path, Connection(lambda: None, None))  # type: ignore[arg-type, return-value]


def test_two_networks_on_two_boxes(connection: Connection, tmp_path: Path) -> None:
    raw = {
        "data": "synthface", "limit": 24, "models": ["synthface-mobilenetv3", "oracle"], "decoders": ["argmax"],
        "boxes": ["landmarks", "rect"], "batch_size": 8, "engine": "torch", "threads": 1,
    }  # fmt: skip
    one = validate(raw, where="a test")
    execute(one, tmp_path / "alone")
    execute(one, tmp_path / "workers", fill=lambda prepared, work: distribute(prepared, work, connection))
    assert same_bytes(tmp_path / "alone", tmp_path / "workers")
    name = "thumbnails.parquet"
    assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "workers" / name).read_bytes()


def test_results_that_wait_for_the_disk_keep_no_worker_waiting(
    prepared: Prepared, connection: Connection, tmp_path: Path, expected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, write, slow = Compute(), StoredBatches.write, threading.Event()

    def wait(self: StoredBatches, batches: Any, reply: RangeReply) -> None:
        assert slow.wait(60)
        write(self, batches, reply)

    def shown(_done: int, _total: int, _workers: int) -> None:
        if len(compute.requests) >= 6:  # three ranges for each worker, although none is stored
            slow.set()

    monkeypatch.setattr(StoredBatches, "write", wait)
    fill(prepared, connection, tmp_path / "work", compute, progress=shown)
    assert same_bytes(expected, stored(prepared, tmp_path / "work", tmp_path / "out"))
    assert compute.batches == Counter(range(12))


def test_no_range_is_started_while_too_many_results_wait_for_the_disk(
    prepared: Prepared, connection: Connection, tmp_path: Path, expected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, write, writing = Compute(), StoredBatches.write, []

    def wait(self: StoredBatches, batches: Any, reply: RangeReply) -> None:
        time.sleep(0.2)
        writing.append(len(compute.requests))
        write(self, batches, reply)

    monkeypatch.setattr(storing, "_MOST", 1)
    monkeypatch.setattr(StoredBatches, "write", wait)
    fill(prepared, connection, tmp_path / "work", compute)
    assert same_bytes(expected, stored(prepared, tmp_path / "work", tmp_path / "out"))
    assert writing[0] <= 4  # two ranges for each worker, which were started before the first result


def test_a_full_disk_ends_the_sweep_with_its_error(
    prepared: Prepared, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: StoredBatches, batches: Any, reply: RangeReply) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    monkeypatch.setattr(StoredBatches, "write", full)
    with pytest.raises(OSError, match="No space left"):
        fill(prepared, connection, tmp_path / "work", Compute())
