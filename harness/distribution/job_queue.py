"""Workers that a queueing system starts as jobs: Slurm, PBS, SGE, LSF, HTCondor, Moab and OAR."""

from __future__ import annotations

import importlib.util
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from nmebench.distribution.cluster_file import KINDS, ClusterFile, load
from nmebench.distribution.clusters import Connection, check_installed
from nmebench.errors import InputError
from nmebench.printable import one_line, shown

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["submitted_jobs"]

#: Seconds between two looks at the jobs.
_LOOK: Final = 2.0

#: Seconds after which a job counts as ended whose workers left. Dask forgets a lost worker after 15 s.
_LOST: Final = 20.0

#: Seconds without a worker after which the sweep ends when no job is left and none is submitted any more.
_NO_JOBS: Final = 60.0

#: Dask's settings of the workers, as for local ones: they hold no data, and the memory is the network's.
_SETTINGS: Final = tuple(
    f"export DASK_DISTRIBUTED__WORKER__{name}=False"
    for name in ("MEMORY__TARGET", "MEMORY__SPILL", "MEMORY__PAUSE", "PROFILE__ENABLED")
)


class _JobConnection(Connection):
    """A cluster of jobs; it reports a job that can't be submitted."""

    failure: InputError | None = None

    def connected(self) -> Client:
        """Return the client.

        Raises:
            InputError: a job couldn't be submitted, and no worker is there.
        """
        if self.failure is not None:
            raise self.failure
        return super().connected()


@contextmanager
def submitted_jobs(path: Path) -> Iterator[Connection]:
    """Submit the jobs that a cluster file describes, and cancel them when the ``with`` block ends.

    The scheduler runs in this process. A job that ends is replaced by another one, up to the file's number of
    replacements.

    Args:
        path: the cluster file, see :mod:`nmebench.distribution.cluster_file`.

    Raises:
        InputError: the file can't be used, dask-jobqueue isn't installed, this machine has no commands of the queueing
            system, or the jobs can't be submitted.
    """
    file = load(path)
    where = f"--cluster {shown(path)}"
    check_installed()
    if importlib.util.find_spec("dask_jobqueue") is None:
        raise InputError(f"{where} needs the package dask-jobqueue: pip install 'nmebench[cluster]'")
    if file.tls and importlib.util.find_spec("cryptography") is None:
        raise InputError(f"{where}: tls = true needs the package cryptography: pip install cryptography")
    for command in KINDS[file.kind].commands:
        if shutil.which(command) is None:
            raise InputError(
                f"{where}: kind = {file.kind!r} needs the command {command}, which isn't on the PATH; run this on a "
                "machine that submits jobs"
            )
    failures: list[Exception] = []
    cluster = _start(file, where, failures)
    connection = _JobConnection(lambda: _client(cluster), patience=file.wait)
    jobs = _Jobs(cluster, file, connection, failures, where)
    try:
        jobs.begin()
        yield connection
    finally:
        jobs.end()
        connection.close()
        cluster.close(timeout=30)


def _client(cluster: Any) -> Client:
    from distributed import Client

    return Client(cluster, set_as_default=False, direct_to_workers=True)


def _start(file: ClusterFile, where: str, failures: list[Exception]) -> Any:
    """Start the scheduler; no job is submitted yet."""
    import dask_jobqueue

    kind: Any = getattr(dask_jobqueue, KINDS[file.kind].cluster)
    options = {name: value for name, value in file.options.model_dump().items() if value is not None}
    for name in ("worker_extra_args", "job_extra_directives", "job_directives_skip", "job_script_prologue"):
        options[name] = list(options[name])
    options["job_script_prologue"] = [*_SETTINGS, *options["job_script_prologue"]]
    options["scheduler_options"] = {"dashboard_address": ":0", **options["scheduler_options"]}
    try:
        return _numbering(kind)(
            job_cls=_recording(kind.job_cls, failures),
            security=True if file.tls else None,
            silence_logs="critical",
            name="nmebench",
            **options,
        )
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise InputError(f"{where}: the Dask scheduler can't start: {one_line(str(error))}") from error


def _numbering(base: type) -> Any:
    """A class of clusters that gives every job a name of its own.

    Dask would give the name of a lost job to the next one, and then cancel that for the loss.
    """
    numbers = count(1)

    class Cluster(base):  # type: ignore[misc]
        def _new_worker_name(self, _: int) -> str:
            return f"nmebench-{next(numbers)}"

    return Cluster


def _recording(base: type, failures: list[Exception]) -> type:
    """A class of jobs that keeps the error of a submission, which Dask only logs, and counts as closed when it is."""

    class Job(base):  # type: ignore[misc]
        async def start(self) -> None:
            try:
                await super().start()
            except (OSError, RuntimeError, ValueError) as error:
                failures.append(error)
                raise

        async def close(self) -> None:
            from distributed.core import Status

            await super().close()
            self.status = Status.closed

    return Job


class _Jobs:
    """Keeps the number of jobs while the sweep runs."""

    def __init__(
        self, cluster: Any, file: ClusterFile, connection: _JobConnection, failures: list[Exception], where: str
    ) -> None:
        self._cluster, self._file, self._connection = cluster, file, connection
        self._failures, self._where = failures, where
        self._replacements = file.most_replacements
        self._seen: dict[str, float] = {}
        """When each job was last seen to have a worker, by its name."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="jobs", daemon=True)

    def begin(self) -> None:
        """Submit the jobs.

        Raises:
            InputError: one of them can't be submitted.
        """
        self._cluster.sync(self._listen)
        self._submit(self._file.jobs)
        if self._failures:
            raise self._failure()
        self._thread.start()

    async def _listen(self) -> None:
        from distributed import SchedulerPlugin

        joined = self.joined

        class Listener(SchedulerPlugin):
            def add_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
                joined(str(scheduler.workers[worker].name))

        self._cluster.scheduler.add_plugin(Listener(), name="nmebench-jobs")

    def end(self) -> None:
        """Submit no job any more."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _submit(self, jobs: int) -> None:
        """Submit jobs until there are this many, and wait for the answers of the queueing system."""
        failed = len(self._failures)
        self._cluster.scale(jobs=jobs)
        while len(self._cluster.workers) < jobs and len(self._failures) == failed:
            if self._over.wait(0.05):
                return

    def _failure(self) -> InputError:
        text = str(self._failures[-1])
        reason = text.partition("stderr:")[2].strip() or text  # dask-jobqueue quotes the command and its output
        return InputError(f"{self._where}: a job can't be submitted: {one_line(reason)}")

    def _watch(self) -> None:
        while not self._over.wait(_LOOK):
            self._look()

    def _look(self) -> None:
        """Replace the jobs that have ended."""
        self._cluster.sync(self._forget_ended)
        missing = self._file.jobs - len(self._cluster.workers)
        new = min(missing, self._replacements)
        if new:
            self._replacements -= new
            self._submit(len(self._cluster.workers) + new)
        elif missing == self._file.jobs:
            self._connection.patience = min(_NO_JOBS, self._file.wait)
            self._connection.failure = self._failure() if self._failures else None

    async def _forget_ended(self) -> None:
        """Forget jobs whose workers have left, that weren't accepted, or that Dask has forgotten already."""
        now = monotonic()
        jobs: dict[str, Any] = self._cluster.workers
        for state in self._cluster.scheduler.workers.values():
            self._seen[self._job_of(str(state.name))] = now
        for name, job in list(jobs.items()):
            if job.job_id is None or (name in self._seen and now - self._seen[name] > _LOST):
                jobs.pop(name)
                await job.close()
        for name in set(self._cluster.worker_spec) - set(jobs):
            del self._cluster.worker_spec[name]

    def joined(self, worker: str) -> None:
        """Notice a worker, which may have left again before the next look.

        Args:
            worker: its name.
        """
        self._seen[self._job_of(worker)] = monotonic()

    def _job_of(self, worker: str) -> str:
        """The name of a worker's job; several workers of one job have its name and a number."""
        return worker if worker in self._cluster.worker_spec else worker.rpartition("-")[0]
