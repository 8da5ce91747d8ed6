"""The driver of a distributed sweep: it gives ranges of batches to the workers and stores what they return."""

from __future__ import annotations

import queue
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from nmebench.distribution.agreement import difference, process_facts
from nmebench.distribution.assignment import Assignment, Range
from nmebench.distribution.clusters import Connection
from nmebench.distribution.comparison import Comparison
from nmebench.distribution.envelope import Raised
from nmebench.distribution.member import ConnectionLostError, Member, described
from nmebench.distribution.messages import RangeReply, RangeRequest, Refusal, WorkerFacts
from nmebench.distribution.requests import Requests
from nmebench.distribution.stored_batches import DamagedBatchError, StoredBatches
from nmebench.distribution.storing import Storing
from nmebench.distribution.summary import Summary
from nmebench.distribution.tasks import Tasks
from nmebench.distribution.worker import compute_range, introduce
from nmebench.errors import InputError
from nmebench.sweep.execute import Filled, Prepared

__all__ = ["ATTEMPTS", "TIME_LIMIT", "Driver", "distribute"]

#: Called with (finished faces, all faces, workers).
WorkerProgress = Callable[[int, int, int], None]

ATTEMPTS = 3
"""Failures of a range that end the sweep."""

TIME_LIMIT = 600.0
"""Seconds that a range may take."""

#: Bytes of the results of a range, unless one batch has more.
_MOST = 64 * 2**20

#: Ranges that a worker has at the same time; it starts the second one while the driver stores the first.
_AHEAD = 2

#: Seconds between two looks at the list of workers.
_LOOK = 0.5

#: The cause of a failed attempt.
_DAMAGED = "returned damaged results"

#: Seconds that the driver waits for another worker after it refused all of them.
_AFTER_REFUSAL = 10.0


def distribute(
    prepared: Prepared,
    work: Path,
    connection: Connection,
    *,
    time_limit: float = TIME_LIMIT,
    progress: WorkerProgress | None = None,
    report: Callable[[str], None] | None = None,
) -> Filled:
    """Compute the batches of a planned sweep on the workers of a cluster and store them under ``work``.

    Afterwards :func:`nmebench.sweep.execute.run_prepared` computes nothing. Batches that are stored already are left
    out, so that the same sweep resumes, with or without workers.

    Args:
        prepared: the plan.
        work: the work folder of the run.
        connection: the cluster.
        time_limit: seconds that a range may take; a worker that exceeds it is restarted.
        progress: called with (finished faces, all faces, workers).
        report: called with a line about each worker that was refused or lost.

    Raises:
        InputError: a photograph can't be read, a network's outputs are wrong, a range failed three times, or no worker
            can compute the sweep.
    """
    return Driver(prepared, work, connection, time_limit=time_limit, progress=progress, report=report).run()


class Driver:
    """Distributes one sweep.

    Dask starts and restarts the worker processes, carries the messages and tells which workers there are. The driver
    chooses the worker of each range itself, because Dask doesn't know which network a worker has loaded, that a range
    uses all threads of a worker, and which workers agree with the driver.
    """

    def __init__(
        self,
        prepared: Prepared,
        work: Path,
        connection: Connection,
        *,
        time_limit: float = TIME_LIMIT,
        progress: WorkerProgress | None = None,
        report: Callable[[str], None] | None = None,
        compute: Callable[[RangeRequest], RangeReply | Refusal] = compute_range,
    ) -> None:
        """Read which batches are stored.

        Args:
            prepared: the plan.
            work: the work folder of the run.
            connection: the cluster.
            time_limit: seconds that a range may take.
            progress: called with (finished faces, all faces, workers).
            report: called with a line about each worker that was refused or lost.
            compute: what a worker does with a request; tests and simulations replace it.

        Raises:
            InputError: the sweep has a network in memory, which can't be sent to a worker.
        """
        self._plan, self._connection = prepared.plan, connection
        self._time_limit, self._progress = time_limit, progress
        self._report = report or (lambda _: None)
        self._compute = compute
        self._stored = [StoredBatches(self._plan, position, work) for position in range(len(self._plan.networks))]
        self._requests = Requests(self._plan, self._stored)
        missing = {n: one.missing() for n, one in enumerate(self._stored)}
        self._assignment = Assignment(missing, {n: _MOST / one.bytes_per_face for n, one in enumerate(self._stored)})
        self._comparison = Comparison(self._stored)
        self._summary = Summary(self._plan, work)
        self._facts = process_facts(0)
        self._members: dict[str, Member] = {}
        self._ignored: set[str] = set()
        """Addresses of workers that exceeded the time limit."""
        self._events: queue.Queue[Callable[[], None]] = queue.Queue()
        """Calls that other threads leave for this one to make."""
        self._tasks = Tasks(connection, f"nmebench-{self._facts.process}-{id(self)}", self._ended)
        self._reasons: list[str] = []
        """Why workers were refused."""
        self._alone_since: float | None = None
        self._total = len(self._plan.networks) * len(self._plan.dataset)

    def run(self) -> Filled:
        """Compute every missing batch.

        Raises:
            InputError: as :func:`distribute`.
        """
        with Storing(self._stored) as self._storing, self._tasks, self._summary:
            looked = -_LOOK
            while not self._assignment.finished:
                try:
                    if monotonic() - looked >= _LOOK:
                        self._look()
                        self._summary.save()
                        looked = monotonic()
                    self._submit()
                    self._receive()
                except ConnectionLostError:
                    self._reconnect()
        return self._summary.filled()

    def _ended(self, key: str, outcome: Any) -> None:
        """Pass the result of a task on to the driver's own thread."""
        self._events.put(partial(self._use, key, outcome))

    def _look(self) -> None:
        """Notice the workers that joined or left, and those that take too long."""
        addresses = self._tasks.addresses()
        self._connection.heal()
        for address in sorted(self._members.keys() - addresses):
            self._lose(self._members[address], "was killed, or lost its connection")
        for address in sorted(addresses - self._members.keys() - self._ignored):
            member = self._members[address] = Member(address, monotonic())
            self._tasks.start(member, introduce)
        for member in list(self._members.values()):
            busy = member.ranges or member.facts is None
            if busy and monotonic() - member.since > self._time_limit:
                self._ignored.add(member.address)
                self._lose(member, f"took longer than {self._time_limit:g} s")
                self._tasks.restart(member.address, lambda line: self._events.put(partial(self._report, line)))
        self._check_alone()
        self._show()

    def _check_alone(self) -> None:
        """End the sweep where no worker takes part for long."""
        if any(not member.refused for member in self._members.values()):
            self._alone_since = None
            return
        now = monotonic()
        self._alone_since = now if self._alone_since is None else self._alone_since
        alone = now - self._alone_since
        if self._reasons and self._members and alone > _AFTER_REFUSAL:
            raise InputError(f"no worker can compute this sweep: {self._reasons[0]}")
        if self._connection.patience is not None and alone > self._connection.patience:
            raise InputError(
                f"no worker joined for {self._connection.patience:.0f} s; start one with `dask worker` and run the "
                "same command again to resume"
            )

    def _submit(self) -> None:
        """Give ranges to the workers that have less than two, unless too many results wait for the disk."""
        if self._storing.is_full:
            return
        ready = [member for member in self._members.values() if member.is_ready]
        processes = {member.facts.process for member in ready if member.facts}
        for ahead in range(_AHEAD):
            for member in ready:
                comparing = any(check is not None for _, _, check in member.ranges)
                if len(member.ranges) > ahead or member.facts is None or comparing:
                    continue
                networks = self._comparison.networks_of(member.facts, self._assignment)
                chosen = self._assignment.take(
                    member.facts.process, workers=len(ready), networks=networks, others=processes
                )
                if chosen is None:
                    continue
                check = self._comparison.begin(member.facts, chosen.network)
                request = self._requests.request(chosen, member.facts.process, check)
                if not member.ranges:
                    member.since = monotonic()
                member.ranges.append((self._tasks.start(member, self._compute, request), chosen, check))

    def _receive(self) -> None:
        """Wait for an event and handle it, and all others that are there."""
        try:
            event = self._events.get(timeout=_LOOK)
        except queue.Empty:
            self._tasks.client()
            return
        while True:
            event()
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return

    def _use(self, key: str, outcome: Any) -> None:
        """Use the result of a task, or the exception in its place."""
        member = self._tasks.take(key, outcome)
        if member is None:
            return  # it no longer takes part
        if member.facts is None:
            self._welcome(member, outcome)
        else:
            number = next(n for n, (one, _, _) in enumerate(member.ranges) if one == key)
            _, computed, check = member.ranges.pop(number)
            member.since = monotonic()
            self._use_range(member, member.facts, computed, check, outcome)

    def _welcome(self, member: Member, outcome: Any) -> None:
        """Admit a worker whose software is the driver's."""
        if isinstance(outcome, WorkerFacts):
            member.facts = outcome
            different = difference(self._facts.software, outcome.software)
        else:
            different = f"can't run this program: {described(outcome)}"
        if different is not None:
            self._refuse(member, different)

    def _refuse(self, member: Member, reason: str) -> None:
        self._give_back(member)
        member.refused = True
        line = f"worker {member.label} {reason}"
        self._reasons.append(line)
        self._report(f"refused: {line}")

    def _use_range(self, member: Member, facts: WorkerFacts, computed: Range, check: int | None, outcome: Any) -> None:
        """Let the results of a range be stored, or find out why there are none."""
        if isinstance(outcome, RangeReply):
            different = None
            if check is not None:
                try:
                    different = self._comparison.compare(facts, computed.network, check, outcome)
                except DamagedBatchError as error:
                    self._fail(member, computed, f"{_DAMAGED}: {error}")
                    return
            if different is not None:
                self._assignment.give_back(computed)
                self._refuse(member, different)
                return
            self._assignment.learn(computed, outcome.seconds, outcome.start)
            finish = partial(self._finish, member, facts, computed, check, outcome)
            self._storing.put(computed, outcome, lambda error: self._events.put(partial(finish, error)))
        elif isinstance(outcome, Refusal) and outcome.restarted:
            self._assignment.give_back(computed)
            self._lose(member, None)  # it introduces itself again
        elif isinstance(outcome, Refusal):
            self._assignment.give_back(computed)
            self._refuse(member, outcome.reason)
        elif isinstance(outcome, Raised) and outcome.is_input_error:
            raise InputError(outcome.message)
        else:
            self._fail(member, computed, f"failed: {described(outcome)}")

    def _finish(
        self,
        member: Member,
        facts: WorkerFacts,
        computed: Range,
        check: int | None,
        reply: RangeReply,
        error: Exception | None,
    ) -> None:
        """Count a range whose results were written; ``error`` is the exception with which writing ended."""
        try:
            self._storing.took(computed, reply, error)
        except DamagedBatchError as damaged:
            self._fail(member, computed, f"{_DAMAGED}: {damaged}")
            return
        self._comparison.store(facts, computed.network)
        self._assignment.finish(computed)
        self._summary.add(facts, computed, check, reply)
        self._show()

    def _fail(self, member: Member, failed: Range, cause: str) -> None:
        """Count a failed attempt; the third one ends the sweep."""
        line = f"worker {member.label} {cause}"
        process = member.facts.process if member.facts else member.address
        failed.failures.append((process, line))
        self._summary.lost_ranges += 1
        self._report(f"{line}; its range is computed again")
        if len(failed.failures) >= ATTEMPTS:
            name = self._plan.networks[failed.network].built.card.name
            raise InputError(
                f"model {name!r}: batches {failed.batches[0]} to {failed.batches[-1]} failed {len(failed.failures)} "
                f"times, at last: {line}; run the same command again to resume"
            )
        self._assignment.give_back(failed)

    def _lose(self, member: Member, cause: str | None) -> None:
        """Forget a worker; the range that it computed counts as failed where there is a cause."""
        self._members.pop(member.address, None)
        running = member.ranges.pop(0) if member.ranges and cause is not None else None
        self._give_back(member)
        if running is not None:
            self._tasks.cancel([running[0]])
            self._fail(member, running[1], str(cause))
        elif cause is not None:
            self._report(f"worker {member.label} {cause}")

    def _give_back(self, member: Member) -> None:
        """Let other workers compute a worker's ranges."""
        for _, one, _ in member.ranges:
            self._assignment.give_back(one)
        member.ranges.clear()
        self._tasks.cancel_of(member)
        if member.facts is not None:
            self._assignment.forget(member.facts.process)

    def _reconnect(self) -> None:
        """Wait for the scheduler; every range that was under way is computed again."""
        self._report("the Dask scheduler was lost; waiting for it")
        self._tasks.forget()
        for member in list(self._members.values()):
            self._lose(member, None)
        self._ignored.clear()
        started, patience = monotonic(), self._connection.patience
        while True:
            self._connection.close()
            try:
                self._connection.connected()
                return
            except (OSError, TimeoutError) as error:
                if patience is not None and monotonic() - started > patience:
                    raise InputError(
                        f"the Dask scheduler doesn't answer for {patience:.0f} s; run the same command again to resume"
                    ) from error

    def _show(self) -> None:
        if self._progress is not None:
            done = self._total - self._assignment.faces_unfinished
            self._progress(done, self._total, sum(member.is_ready for member in self._members.values()))
