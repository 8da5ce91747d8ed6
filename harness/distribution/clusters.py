"""The Dask clusters that a sweep can run on: local workers, one worker per GPU, or a running scheduler."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import psutil

from nmebench.errors import InputError
from nmebench.printable import one_line

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Connection", "check_installed", "local_workers", "running_scheduler", "visible_gpus"]

#: Largest number of local workers; each is a process.
MOST_WORKERS = 1024

#: Seconds that a scheduler may take to answer.
ANSWER = 10.0

#: Seconds within which a local cluster must start.
_START = 120.0

#: Seconds without any local worker that end the sweep.
_PATIENCE = 300.0

#: Dask's settings of the local workers. They hold no data, so nothing is spilt, and a worker that is paused at 80 % of
#: its memory would wait for ever, because the memory is the network's. One that exceeds 95 % is still restarted.
_SETTINGS: Mapping[str, Any] = {
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.profile.enabled": False,
}


@dataclass
class Connection:
    """A cluster, and how to connect to it."""

    connect: Callable[[], Client]
    """Return a connected client; it raises OSError while the scheduler doesn't answer."""
    patience: float | None
    """Seconds to wait for a scheduler that was lost, or for the first worker; None waits without limit."""
    client: Client | None = None
    """The connected client."""
    heal: Callable[[], None] = lambda: None
    """Replace workers that ended and that nobody restarts; the driver calls it again and again."""

    def connected(self) -> Client:
        """Return the client, connected when it is first used."""
        if self.client is None:
            self.client = self.connect()
        return self.client

    def close(self) -> None:
        """Close the client."""
        if self.client is not None:
            self.client.close(timeout=2)
            self.client = None

    def describe(self) -> str:
        """Return the line with the address of the dashboard, or of the scheduler where there is no dashboard."""
        client: Any = self.connected()
        if importlib.util.find_spec("bokeh") is None:
            return f"Dask scheduler: {client.scheduler.address} (its dashboard needs the package bokeh)"
        return f"Dask dashboard: {client.dashboard_link}"


def check_installed() -> None:
    """Check that Dask is installed.

    Raises:
        InputError: it isn't.
    """
    if importlib.util.find_spec("distributed") is None:
        raise InputError("workers need the package distributed: pip install 'nmebench[cluster]'")


@contextmanager
def local_workers(count: int | Literal["gpu"]) -> Iterator[Connection]:
    """Start workers on this machine, one process each; the processor's cores are divided among them.

    They start in the background, while the sweep is planned.

    Args:
        count: the number of workers; ``gpu`` starts one for each GPU that this process sees.

    Raises:
        InputError: Dask isn't installed, the number can't be used, or there is no GPU.
    """
    check_installed()
    gpus = visible_gpus() if count == "gpu" else []
    if count == "gpu" and not gpus:
        raise InputError("--workers gpu: torch finds no CUDA device here; give a number of workers")
    environments = [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus] if count == "gpu" else [{}] * int(count)
    if not 1 <= len(environments) <= MOST_WORKERS:
        raise InputError(f"--workers {count}: give 1 to {MOST_WORKERS}, or gpu")
    importlib.import_module("distributed")  # not in a thread, beside other imports of packages that import each other
    with ThreadPoolExecutor(1, "cluster") as starter:
        starting = starter.submit(_start, environments)

        def connect() -> Client:
            from distributed import Client

            return Client(starting.result(_START), set_as_default=False, direct_to_workers=True)

        def heal() -> None:
            cluster = starting.result(_START)
            if len(cluster.workers) < len(environments):  # a worker that was killed while it started, for example
                cluster.scale(len(environments))

        connection = Connection(connect, patience=_PATIENCE, heal=heal)
        try:
            yield connection
        finally:
            connection.close()
            if starting.exception(_START) is None:
                _stop(starting.result())


def _start(environments: Sequence[Mapping[str, str]]) -> Any:
    """Start a scheduler in this process and one worker process for each environment.

    The workers import nmebench at once, while the driver plans.

    Raises:
        InputError: a worker can't start.
    """
    import dask.config
    from distributed import Nanny, Scheduler, SpecCluster

    # Dask gives up a worker whose process isn't there again after this time, by default 15 s; busy machines need more.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "60s"})
    cores = psutil.cpu_count(logical=False) or 1
    preloads = dask.config.get("distributed.worker.preload", None) or []
    options = {
        "host": "127.0.0.1",
        "nthreads": max(1, cores // len(environments)),
        "memory_limit": psutil.virtual_memory().total // len(environments),
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
        "preload": [*([preloads] if isinstance(preloads, str) else preloads), "nmebench.distribution.worker"],
        "config": dict(_SETTINGS),
    }
    try:
        return SpecCluster(
            scheduler={"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}},
            workers={
                number: {"cls": Nanny, "options": {**options, "env": dict(environment)}}
                for number, environment in enumerate(environments)
            },
            silence_logs=logging.CRITICAL,
            name="nmebench",
        )
    except RuntimeError as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise InputError(
            f"the local workers can't start ({type(cause).__name__}: {one_line(str(cause))}); check the settings of "
            "Dask (~/.config/dask, DASK_* in the environment), or run without --workers"
        ) from error


def _stop(cluster: Any) -> None:
    """End the workers at once, since they hold nothing, and then the scheduler."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        if nanny.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGKILL)
    with suppress(TimeoutError):  # a busy machine; the processes have ended, and the scheduler is a thread of this one
        cluster.close(timeout=30)


def visible_gpus() -> list[str]:
    """Return the value of ``CUDA_VISIBLE_DEVICES`` for each GPU that this process sees."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:count] if named else [str(number) for number in range(count)]


@contextmanager
def running_scheduler(address: str, *, patience: float = 300.0) -> Iterator[Connection]:
    """Use the workers of a running Dask scheduler.

    Args:
        address: such as ``tcp://HOST:8786``.
        patience: seconds to wait for a scheduler that was lost, and for the first worker.

    Raises:
        InputError: Dask isn't installed, or no scheduler answers.
    """
    check_installed()
    from distributed import Client

    def connect() -> Client:
        # While it reconnects, the client logs a traceback; the driver reports the loss in a line.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        return Client(address, timeout=ANSWER, set_as_default=False)

    try:
        connection = Connection(connect, patience, connect())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"--scheduler {address}: no Dask scheduler answers there; start one with `dask scheduler`, and workers "
            "with `dask worker tcp://HOST:8786`"
        ) from error
    try:
        yield connection
    finally:
        connection.close()
