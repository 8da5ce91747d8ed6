"""Dask's tasks on the workers: they are started, collected and cancelled here."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from nmebench.distribution.clusters import Connection
from nmebench.distribution.envelope import call, seal
from nmebench.distribution.member import ConnectionLostError, Member

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["Tasks"]

#: Dask's reason for a task that it cancelled because the scheduler was lost.
_CONNECTION_LOST: Final = "scheduler-connection-lost"

#: Results that are fetched at the same time.
_THREADS: Final = 4


class Tasks:
    """The tasks of one sweep. Each runs on the worker that was chosen for it."""

    def __init__(self, connection: Connection, name: str, ended: Callable[[str, Any], None]) -> None:
        """Start no task.

        Args:
            connection: the cluster.
            name: begins the keys of the tasks, and differs from that of other sweeps on the cluster.
            ended: called in another thread with a task's key, and its result or the exception in its place.
        """
        self._connection, self._name, self._ended = connection, name, ended
        self._tasks: dict[str, tuple[Future[Any], Member]] = {}
        self._numbers = count()
        self._pool = ThreadPoolExecutor(_THREADS, "collect")

    def __enter__(self) -> Tasks:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Cancel the tasks that are left, for example where the sweep ends with an error."""
        try:
            self.cancel(list(self._tasks))
        except ConnectionLostError:
            pass  # they ended with the scheduler
        finally:
            self._pool.shutdown()

    def client(self) -> Client:
        """Return the connected client.

        Raises:
            ConnectionLostError: it isn't connected.
        """
        client = self._connection.connected()
        if client.status != "running":
            raise ConnectionLostError
        return client

    def addresses(self) -> set[str]:
        """Return the addresses of all workers.

        Raises:
            ConnectionLostError: the scheduler doesn't answer.
        """
        try:
            return set(self.client().nthreads())  # the shortest answer that names them
        except (OSError, TimeoutError) as error:
            raise ConnectionLostError from error

    def start(self, member: Member, function: Callable[..., Any], *arguments: Any) -> str:
        """Start a task on a worker and return its key.

        Raises:
            ConnectionLostError: the scheduler doesn't answer.
        """
        key = f"{self._name}-{next(self._numbers)}"
        try:
            future = self.client().submit(
                call,
                seal(function, *arguments),
                key=key,
                workers=[member.address],
                allow_other_workers=False,
                pure=False,
            )
        except (OSError, TimeoutError) as error:
            raise ConnectionLostError from error
        self._tasks[key] = future, member
        future.add_done_callback(lambda done: self._pool.submit(self._collect, key, done))
        return key

    def _collect(self, key: str, future: Future[Any]) -> None:
        """Fetch a result, or the exception in its place."""
        try:
            outcome: Any = future.result()
        except (Exception, CancelledError) as error:
            outcome = error
        self._ended(key, outcome)

    def take(self, key: str, outcome: Any) -> Member | None:
        """Forget a task that ended and return its worker; None for a task that was cancelled.

        Raises:
            ConnectionLostError: it ended because the scheduler was lost.
        """
        future, member = self._tasks.pop(key, (None, None))
        if future is None:
            return None
        future.release()
        if isinstance(outcome, CancelledError) and getattr(outcome, "reason", "") == _CONNECTION_LOST:
            raise ConnectionLostError
        return member

    def cancel_of(self, member: Member) -> None:
        """Cancel all tasks of a worker.

        Raises:
            ConnectionLostError: the scheduler doesn't answer.
        """
        self.cancel([key for key, (_, of) in self._tasks.items() if of is member])

    def cancel(self, keys: list[str]) -> None:
        """Cancel tasks.

        Raises:
            ConnectionLostError: the scheduler doesn't answer.
        """
        futures = [task[0] for task in (self._tasks.pop(key, None) for key in keys) if task is not None]
        client = self._connection.client
        if futures and client is not None and client.status == "running":
            try:
                client.cancel(futures, force=True)
            except (OSError, TimeoutError) as error:
                raise ConnectionLostError from error

    def forget(self) -> None:
        """Forget all tasks; they ended with the scheduler."""
        self._tasks.clear()

    def restart(self, address: str, failed: Callable[[str], None]) -> None:
        """Ask a worker's nanny for a new process, in another thread; without a nanny the worker stays as it is.

        Args:
            address: the worker.
            failed: called in that thread with the reason where this isn't possible.
        """

        def restart() -> None:
            try:
                self.client().restart_workers([address], timeout=30, raise_for_error=False)
            except (OSError, TimeoutError, ValueError, KeyError, ConnectionLostError) as error:
                failed(f"worker {address} can't be restarted ({type(error).__name__}); it gets no work")

        self._pool.submit(restart)
