"""Simulates a cluster of 1 to 256 workers: the real driver and Dask scheduler, and workers whose passes are sleeps.

    python docs/tools/simulate_cluster.py --workers 1 2 4 8 16 32 64 128 256 --out docs/results/cluster/simulation.csv

The sweep has 20 networks (``--networks``) and 10,000 faces in batches of 12, and three decoders. A worker sleeps for
the time that a range takes on a real machine, and for the start of a network whenever it gets another one; then it
returns results of the true size. The driver plans, assigns, checks and stores as in ``nmebench run --cluster``; nothing
is scored.

``--rate`` compresses time: with N workers every sleep is divided so that all workers together give at least this many
faces per second. That makes the driver look worse, because its own work is not compressed. Workers are threads of a few
processes, since 256 processes with torch don't fit into the memory of a small machine.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from safetensors import numpy as safetensors

FILE = "NMEBENCH_SIMULATION"
FACES, BATCH = 10_000, 12
DECODERS = ("argmax", "quarter-offset", "dark")

#: Dask's settings of the simulated workers. Each would look at its threads and its machine many times per second.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "30s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.worker.memory.monitor-interval": "30s",
}

COLUMNS = (
    "workers", "networks", "ms_per_face", "start_s", "divided_by", "faces_per_s", "ideal_s", "wall_s", "efficiency",
    "ranges", "starts", "driver_cpu", "storing", "network_starts_s", "begin_s", "between_s", "late_s", "tail_s",
)  # fmt: skip


@cache
def settings() -> dict[str, Any]:
    """The settings of the simulation, which every process reads from one file."""
    content: dict[str, Any] = json.loads(Path(os.environ[FILE]).read_text())
    return content


@cache
def sealed_batch(model: str, faces: int) -> bytes:
    """A batch of results of the true size."""
    cells = settings()["cells"][model]
    arrays = {
        "landmarks": np.zeros((len(cells), faces, 98, 2), np.float32),
        "confidence": np.zeros((len(cells), faces, 98), np.float32),
        "cells": np.frombuffer(json.dumps({cell: {"empty": 0} for cell in cells}).encode(), np.uint8),
    }
    packed = safetensors.save(arrays)
    return hashlib.sha256(packed).digest() + packed


def introduce() -> Any:
    """The facts of a simulated worker, which stands for a process of its own."""
    from dataclasses import replace

    from distributed import get_worker

    from nmebench.distribution.agreement import process_facts

    return replace(process_facts(1), process=get_worker().address, host="node", software=settings()["software"])


_LOADED: dict[str, str] = {}


def compute(request: Any) -> Any:
    """Sleep as long as a range takes, and return results of the true size."""
    from distributed import get_worker

    from nmebench.distribution.messages import RangeReply

    worker, model = get_worker().address, json.loads(request.configuration)["models"][0]["name"]
    begun, start = time.time(), 0.0
    if _LOADED.get(worker) != model:
        _LOADED[worker], start = model, settings()["start"]
        time.sleep(start)
    sizes = {number: min(BATCH, FACES - BATCH * number) for number in request.batches}
    seconds = settings()["per_face"] * sum(sizes.values())
    time.sleep(seconds)
    return RangeReply(
        process=request.process,
        results={number: sealed_batch(model, faces) for number, faces in sizes.items()},
        thumbnails={},
        first_batch="{}",
        engine="none (simulated)",
        seconds=seconds,
        start=start,
        stages={"begun": begun, "ended": time.time()},
    )


def serve(address: str, first: int, count: int) -> None:
    """Run simulated workers in this process until the scheduler ends."""
    import asyncio

    import dask
    from distributed import Worker

    dask.config.set(QUIET)
    importlib.import_module("nmebench.distribution.worker")  # before the clock runs

    async def run() -> None:
        workers = [
            Worker(address, nthreads=1, name=f"simulated-{first + number}", dashboard=False, memory_limit=0)
            for number in range(count)
        ]
        await asyncio.gather(*workers)
        await asyncio.gather(*(worker.finished() for worker in workers))

    asyncio.run(run())


def prepared_sweep(folder: Path, networks: int) -> Any:
    """The plan of the sweep; its networks give the ground truth and are never run."""
    from nmebench.sweep.configuration import validate
    from nmebench.sweep.execute import prepare

    rng = np.random.default_rng(0)
    np.savez(folder / "faces.npz", landmarks=rng.uniform(30, 220, (FACES, 98, 2)))
    raw = {
        "data": f"landmarks:{folder / 'faces.npz'}",
        "models": [{"card": "oracle", "name": f"network-{number}"} for number in range(networks)],
        "decoders": list(DECODERS),
        "batch_size": BATCH,
        "threads": 1,
    }
    return prepare(validate(raw, where="the simulation"))


def simulate(
    prepared: Any, folder: Path, workers: int, ms: float, start: float, rate: float, longest: float
) -> dict[str, Any]:
    """Distribute the sweep once and return a row of the table."""
    from distributed import Client, Scheduler, SpecCluster

    from nmebench.distribution import assignment, driver
    from nmebench.distribution.agreement import process_facts
    from nmebench.distribution.assignment import Range
    from nmebench.distribution.clusters import Connection
    from nmebench.distribution.stored_batches import StoredBatches

    divided = max(1.0, rate * ms / 1e3 / workers)
    cells = {one.built.card.name: [cell.key for cell in one.cells] for one in prepared.plan.networks}
    content = {"per_face": ms / 1e3 / divided, "start": start / divided, "cells": cells}
    content["software"] = dict(process_facts(0).software)
    (folder / "settings.json").write_text(json.dumps(content))
    assignment.SECONDS, assignment.SHORTEST = longest / divided, 1.0 / divided  # ranges of as many faces as without it
    spent: Counter[str] = Counter()
    ends: dict[str, float] = {}
    begins: dict[str, float] = {}
    starts: Counter[str] = Counter()
    loaded: dict[str, int] = {}

    class Driver(driver.Driver):
        def _use_range(self, member: Any, *others: Any) -> None:
            where, outcome = member.address, others[-1]
            computed = next(one for one in others if isinstance(one, Range))
            begun, ended = outcome.stages["begun"], outcome.stages["ended"]
            spent["between"] += begun - ends[where] if where in ends else 0.0
            spent["late"] += ended - begun - outcome.seconds
            begins.setdefault(where, begun)
            ends[where] = ended
            starts[where] += loaded.get(where) != computed.network
            loaded[where] = computed.network
            spent["ranges"] += 1
            super()._use_range(member, *others)

    write = StoredBatches.write

    def timed(self: StoredBatches, batches: Any, reply: Any) -> None:
        begun = time.perf_counter()
        write(self, batches, reply)
        spent["storing"] += time.perf_counter() - begun

    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}}
    cluster = SpecCluster(scheduler=scheduler, workers={}, silence_logs=50)
    processes, per_process = [], 32
    environment = {**os.environ, FILE: str(folder / "settings.json"), "OMP_NUM_THREADS": "1"}
    for first in range(0, workers, per_process):
        count = min(per_process, workers - first)
        serving = [sys.executable, __file__, "--serve", cluster.scheduler_address, str(first), str(count)]
        processes.append(subprocess.Popen(serving, env=environment, cwd=folder, stderr=subprocess.DEVNULL))
    client = Client(cluster, set_as_default=False)
    try:
        client.wait_for_workers(workers, timeout=300)
        importable = importlib.import_module(Path(__file__).stem)  # of __main__, each task would have a copy
        driver.introduce, StoredBatches.write = importable.introduce, timed  # type: ignore[method-assign]
        work = folder / f"work-{workers}"
        work.mkdir()
        connection = Connection(lambda: client, patience=60, client=client)
        running = Driver(prepared, work, connection, compute=importable.compute, progress=_progress())
        this = psutil.Process()
        before, wall, began = sum(this.cpu_times()[:2]), time.perf_counter(), time.time()
        running.run()
        seconds = time.perf_counter() - wall
        cpu = sum(this.cpu_times()[:2]) - before
    finally:
        StoredBatches.write = write  # type: ignore[method-assign]
        client.close()
        cluster.close()
        for process in processes:
            process.terminate()
            process.wait()
    subprocess.run(["rm", "-rf", str(work)], check=True)
    faces = len(prepared.plan.networks) * FACES
    ideal = faces * ms / 1e3 / divided / workers
    return {
        "workers": workers,
        "networks": len(prepared.plan.networks),
        "ms_per_face": ms,
        "start_s": start,
        "divided_by": round(divided, 2),
        "faces_per_s": round(faces / seconds, 1),
        "ideal_s": round(ideal, 2),
        "wall_s": round(seconds, 2),
        "efficiency": round(100 * ideal / seconds, 1),
        "ranges": spent["ranges"],
        "starts": sum(starts.values()),
        "driver_cpu": round(100 * cpu / seconds, 1),
        "storing": round(100 * spent["storing"] / seconds, 1),
        "network_starts_s": round(sum(starts.values()) * start / divided / workers, 2),
        "begin_s": round(sum(begins.values()) / len(begins) - began, 2),
        "between_s": round(spent["between"] / workers, 2),
        "late_s": round((spent["late"] - sum(starts.values()) * start / divided) / workers, 2),
        "tail_s": round(began + seconds - sum(ends.values()) / len(ends), 2),
    }


def _progress() -> Callable[[int, int, int], None]:
    """A line on standard error every 10 seconds."""
    last = time.monotonic()

    def show(done: int, total: int, workers: int) -> None:
        nonlocal last
        if time.monotonic() - last > 10:
            last = time.monotonic()
            print(f"{done} of {total} faces, {workers} workers", file=sys.stderr, flush=True)

    return show


def main() -> None:
    """Write one row per number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64, 128, 256])
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--ms", type=float, default=100.4, help="milliseconds per face of the network on one worker")
    parser.add_argument("--start", type=float, default=10.0, help="seconds to load and compile a network")
    parser.add_argument("--rate", type=float, default=0.0, help="faces per second of all workers together, at least")
    parser.add_argument(
        "--longest", type=float, help="seconds of a range, without compressed time; by default the driver's"
    )
    parser.add_argument("--out", type=Path, help="csv file; rows are appended")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve[0], int(given.serve[1]), int(given.serve[2]))
        return
    from nmebench.distribution.assignment import SECONDS

    rows, longest = [], given.longest or SECONDS
    with tempfile.TemporaryDirectory(prefix="nmebench-simulation-") as name:
        prepared = prepared_sweep(Path(name), given.networks)
        for workers in given.workers:
            rows.append(simulate(prepared, Path(name), workers, given.ms, given.start, given.rate, longest))
            print(json.dumps(rows[-1]), flush=True)
            if given.out:
                new = not given.out.exists()
                with given.out.open("a", newline="") as file:
                    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                    if new:
                        writer.writeheader()
                    writer.writerow(rows[-1])


if __name__ == "__main__":
    main()
