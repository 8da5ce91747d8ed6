"""Runs one sweep without workers, with local workers and on a Dask cluster, kills workers, and compares every byte.

    python docs/tools/try_cluster.py [--limit FACES] [--kills RUNS] [--double-kills RUNS] [--hangs RUNS]
                                      [--folder FOLDER]

The exit code is 0 if every run has the bytes of the run without workers and no range was computed twice, except those
that a killed worker had begun.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

FILES = ("scores.csv", "per_face.parquet", "faces.parquet", "thumbnails.parquet")
FOLDERS = ("landmarks", "confidence")

#: Dask imports this file in every worker; it logs when a range begins and ends.
PRELOAD = """
import json, os, time
from nmebench.distribution import worker

compute = getattr(worker._compute, "unlogged", worker._compute)  # Dask may import this file twice

def log(event, request):
    line = json.dumps([event, os.getpid(), request.box, json.loads(request.configuration)["models"][0]["card"],
                       list(request.batches), request.check, time.time()])
    with open(os.environ["TRY_CLUSTER_LOG"], "a") as file:
        file.write(line + "\\n")

def logged(state, request):
    log("begin", request)
    reply = compute(state, request)
    log("end", request)
    return reply

logged.unlogged = compute
worker._compute = logged
"""


@dataclass
class Trial:
    """One run with workers."""

    name: str
    seconds: float
    killed: list[int]
    """The processes that were killed."""
    events: list[list] = field(default_factory=list)
    """The lines that the workers logged."""
    distribution: dict = field(default_factory=dict)
    """From ``timings.json``."""
    different: list[str] = field(default_factory=list)
    """Files with other bytes than those of the run without workers."""

    @property
    def begun(self) -> int:
        """Ranges that workers began."""
        return sum(event[0] == "begin" for event in self.events)

    @property
    def lost(self) -> int:
        """Ranges that a killed process had begun and whose results were not stored."""
        return self.begun - self.distribution["ranges"]

    @property
    def twice(self) -> list[tuple]:
        """Batches that were begun again although no killed process had begun them."""
        begun: Counter = Counter()
        by_killed: Counter = Counter()
        for event, pid, box, card, batches, _, _ in self.events:
            for batch in batches if event == "begin" else ():
                begun[card, box, batch] += 1
                by_killed[card, box, batch] += pid in self.killed
        return [key for key, number in begun.items() if number > 1 + by_killed[key]]

    @property
    def passed(self) -> bool:
        return not self.different and not self.twice

    def line(self) -> str:
        result = "equal bytes" if not self.different else f"OTHER BYTES: {', '.join(self.different)}"
        again = "" if not self.twice else f", COMPUTED TWICE: {self.twice}"
        return (
            f"{self.name:32} {self.seconds:6.1f} s  {self.distribution['ranges']:3} stored, {self.begun:3} begun, "
            f"{self.lost:2} lost by {len(self.killed)} killed; {result}{again}"
        )


def hashes(run: Path) -> dict[str, str]:
    """Return the SHA-256 of the files whose bytes must be equal."""
    paths = [run / name for name in FILES] + [path for name in FOLDERS for path in sorted((run / name).iterdir())]
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


class Tries:
    """The trials, in one folder."""

    def __init__(self, folder: Path, limit: int, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.preload = folder / "log_ranges.py"
        self.preload.write_text(PRELOAD)
        self.options = [
            "--data", "synthface", "--limit", str(limit), "--model", "synthface-mobilenetv3", "--model", "oracle",
            "--decoder", "argmax", "--decoder", "dark", "--batch-size", "16", "--test-time", "none",
            "--test-time", "flip",
        ]  # fmt: skip
        self.trials: list[Trial] = []
        started = time.monotonic()
        subprocess.run(self.command("alone"), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.expected = hashes(folder / "alone")
        print(f"{'without workers':32} {time.monotonic() - started:6.1f} s", flush=True)

    def command(self, name: str, *more: str) -> list[str]:
        out = str(self.folder / name)
        return [sys.executable, "-m", "nmebench", "run", *self.options, *more, "-o", out]

    def environment(self, name: str) -> dict[str, str]:
        return os.environ | {
            "TRY_CLUSTER_LOG": str(self.folder / f"{name}.log"),
            "DASK_DISTRIBUTED__WORKER__PRELOAD": str(self.preload),
        }

    def events(self, name: str) -> list[list]:
        log = self.folder / f"{name}.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []

    def wait_for_range(self, name: str, process: subprocess.Popen) -> None:
        """Wait until a worker has begun a range."""
        while not self.events(name) and process.poll() is None:
            time.sleep(0.05)

    def run(self, name: str, *options: str, kills: int = 0, sent: signal.Signals = signal.SIGKILL) -> Trial:
        """Run the sweep with workers, kill some of them at random moments, and compare the bytes.

        Args:
            name: the folder of the run.
            options: the options that name the cluster.
            kills: the number of workers to kill.
            sent: the signal that they get.
        """
        started = time.monotonic()
        killed: list[int] = []
        with (self.folder / f"{name}.err").open("w") as errors:
            process = subprocess.Popen(
                self.command(name, *options), env=self.environment(name), stdout=subprocess.DEVNULL, stderr=errors
            )
            if kills:
                self.wait_for_range(name, process)
            for number in range(kills):
                time.sleep(self.random.uniform(0.0, 1.0 if number else 3.0))  # a killed worker is back after seconds
                workers = [pid for pid in worker_processes(process.pid) if pid not in killed]
                if workers and process.poll() is None:
                    killed.append(self.random.choice(workers))
                    os.kill(killed[-1], sent)
            code = process.wait()
        if code:
            raise SystemExit(f"{name}: exit code {code}\n" + (self.folder / f"{name}.err").read_text())
        return self.finish(name, started, killed)

    def finish(self, name: str, started: float, killed: list[int]) -> Trial:
        run = self.folder / name
        found = hashes(run)
        different = sorted(
            file for file in self.expected.keys() | found.keys() if found.get(file) != self.expected.get(file)
        )
        timings = json.loads((run / "timings.json").read_text())
        trial = Trial(name, time.monotonic() - started, killed, self.events(name), timings["distribution"], different)
        self.trials.append(trial)
        print(trial.line(), flush=True)
        return trial

    def restart_scheduler(self) -> Trial:
        """Kill the scheduler while a sweep runs on it, and start another one at the same address."""
        name, port = "scheduler restarted", free_port()
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            scheduler = stack.enter_context(self.process("scheduler", "--port", str(port)))
            workers = [stack.enter_context(self.worker(port, name)) for _ in range(2)]
            errors = stack.enter_context((self.folder / f"{name}.err").open("w"))
            process = subprocess.Popen(
                self.command(name, "--scheduler", f"tcp://127.0.0.1:{port}"), stdout=subprocess.DEVNULL, stderr=errors
            )
            self.wait_for_range(name, process)
            time.sleep(self.random.uniform(0.5, 3.0))
            lost = [pid for worker in workers for pid in worker_processes(worker.pid)]
            scheduler.kill()
            scheduler.wait()
            time.sleep(1)
            stack.enter_context(self.process("scheduler", "--port", str(port)))
            for _ in range(2):  # a `dask worker` ends when its scheduler does
                stack.enter_context(self.worker(port, name))
            if process.wait():
                raise SystemExit((self.folder / f"{name}.err").read_text())
        return self.finish(name, started, lost)

    @contextlib.contextmanager
    def process(
        self, kind: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> Iterator[subprocess.Popen]:
        """Run ``dask scheduler`` or ``dask worker``."""
        command = [sys.executable, "-m", "dask", kind, *arguments]
        with (self.folder / f"{kind}.err").open("a") as errors:
            started = subprocess.Popen(
                command, env=environment, stdout=errors, stderr=errors, start_new_session=True, cwd=self.folder
            )
            try:
                yield started
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(started.pid, signal.SIGKILL)
                started.wait()

    def worker(self, port: int, name: str) -> contextlib.AbstractContextManager[subprocess.Popen]:
        """Run a ``dask worker`` with one thread; its nanny restarts it."""
        arguments = ("--nthreads", "1", "--no-dashboard", f"tcp://127.0.0.1:{port}")
        return self.process("worker", *arguments, environment=self.environment(name))

    def on_scheduler(self, name: str) -> Trial:
        """Run the sweep on a scheduler with two workers that were started by hand."""
        port = free_port()
        with self.process("scheduler", "--port", str(port)), self.worker(port, name), self.worker(port, name):
            return self.run(name, "--scheduler", f"tcp://127.0.0.1:{port}")


def worker_processes(parent: int) -> list[int]:
    """Return the processes that a nanny started."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(parent).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if any("spawn_main" in word for word in child.cmdline()):
                    found.append(child.pid)
    return found


def free_port() -> int:
    """Return a port that nothing uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def main() -> int:
    """Run all trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=400, help="faces")
    parser.add_argument("--kills", type=int, default=10, help="runs in which one worker is killed")
    parser.add_argument("--double-kills", type=int, default=3, help="runs in which two workers are killed")
    parser.add_argument("--hangs", type=int, default=1, help="runs in which one worker is stopped (SIGSTOP)")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4], help="numbers of local workers")
    parser.add_argument("--external", action=argparse.BooleanOptionalAction, default=True, help="try a Dask scheduler")
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--folder", type=Path, help="a new folder; by default a temporary one")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        tries = Tries(folder, given.limit, given.seed)
        for count in given.workers:
            tries.run(f"{count} local workers", "--workers", str(count))
        if given.external:
            tries.on_scheduler("scheduler and two workers")
            tries.restart_scheduler()
        for number in range(given.kills):
            tries.run(f"one of two workers killed, {number + 1}", "--workers", "2", kills=1)
        for number in range(given.double_kills):
            tries.run(f"two workers killed, {number + 1}", "--workers", "2", kills=2)
        for number in range(given.hangs):
            options = ("--workers", "2", "--range-timeout", "20")
            tries.run(f"one of two workers hangs, {number + 1}", *options, kills=1, sent=signal.SIGSTOP)
    failed = [trial.name for trial in tries.trials if not trial.passed]
    print(f"{len(tries.trials) - len(failed)} of {len(tries.trials)} runs passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
