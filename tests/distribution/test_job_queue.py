"""Sweeps on a queueing system: a fake Slurm, whose commands start local processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from nmebench.__main__ import main
from nmebench.distribution import job_queue
from nmebench.distribution.clusters import Connection
from nmebench.distribution.job_queue import submitted_jobs
from nmebench.errors import InputError

pytest.importorskip("dask_jobqueue")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fake Slurm needs setsid")

COMMANDS = Path(__file__).parent / "fake_slurm"
FILE = """
kind = "slurm"
jobs = {jobs}
{more}

[options]
cores = 1
memory = "2GB"
scheduler_options = {{ host = "127.0.0.1" }}
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the fake Slurm's jobs; its commands are on the PATH."""
    state = tmp_path / "jobs"
    state.mkdir()
    monkeypatch.setenv("FAKE_SLURM", str(state))
    monkeypatch.setenv("PATH", f"{COMMANDS}{os.pathsep}{os.environ['PATH']}")
    yield state
    for group in groups(state).values():
        kill(group)


@pytest.fixture
def write_file(tmp_path: Path) -> Callable[..., Path]:
    def write(jobs: int = 1, more: str = "") -> Path:
        path = tmp_path / "slurm.toml"
        path.write_text(FILE.format(jobs=jobs, more=more))
        return path

    return write


def groups(state: Path) -> dict[int, int]:
    """The process group of each job that was submitted, by its number."""
    found = {}
    for job in state.iterdir():
        text = (job / "group").read_text().strip() if (job / "group").exists() else ""
        if text:
            found[int(job.name)] = int(text)
    return found


def kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def left(state: Path) -> list[str]:
    """The command lines of the processes that the jobs left, apart from those that have ended."""
    of_jobs = set(groups(state).values())
    lines = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) in of_jobs and process.status() != psutil.STATUS_ZOMBIE:
                lines.append(" ".join(process.cmdline()))
        except (psutil.Error, ProcessLookupError):
            continue
    return lines


def kill_first_job(state: Path, over: threading.Event) -> None:
    """Kill the first job as soon as its worker is registered."""
    while not over.wait(0.02):
        output = state / "1/output"
        if output.exists() and "Registered to" in output.read_text(errors="replace"):
            kill(groups(state)[1])
            (state / "1/killed").touch()
            return


def content(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file() and path.name not in ("run.json", "timings.json")
    }


def test_a_sweep_on_slurm_has_the_bytes_of_a_plain_run_though_a_job_died(
    slurm: Path, write_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    monkeypatch.setattr(job_queue, "_LOOK", 0.2)
    monkeypatch.setattr(job_queue, "_LOST", 1.0)
    options = ["--data", "synthface", "--limit", "12", "--model", "synthface-mobilenetv3", "--batch-size", "4"]
    options += ["--decoder", "dark", "--threads", "1", "--engine", "torch", "-q"]
    over = threading.Event()
    killer = threading.Thread(target=kill_first_job, args=(slurm, over))
    killer.start()
    try:
        with dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}):
            cluster = write_file(jobs=1, more="replacements = 1")
            assert main(["run", *options, "--cluster", str(cluster), "-o", str(tmp_path / "slurm")]) == 0
    finally:
        over.set()
        killer.join()
    assert (slurm / "1/killed").exists()
    assert sorted(groups(slurm)) == [1, 2]
    assert (slurm / "2/cancelled").exists()
    assert not left(slurm)
    assert main(["run", *options, "-o", str(tmp_path / "plain")]) == 0
    assert content(tmp_path / "slurm") == content(tmp_path / "plain")


def test_a_job_script_has_the_options_of_the_file(slurm: Path, tmp_path: Path) -> None:
    path = tmp_path / "slurm.toml"
    path.write_text(
        """
        kind = "slurm"
        jobs = 2
        [options]
        cores = 8
        memory = "16GB"
        queue = "gpu"
        walltime = "02:00:00"
        account = "faces"
        job_extra_directives = ["--gres=gpu:1"]
        job_script_prologue = ["exit 0"]
        scheduler_options = { host = "127.0.0.1" }
        """
    )
    with submitted_jobs(path):
        wait_for(lambda: len(groups(slurm)) == 2)
    script = (slurm / "1/script").read_text()
    for line in ("-J nmebench", "-p gpu", "-A faces", "--cpus-per-task=8", "--mem=15G", "-t 02:00:00", "--gres=gpu:1"):
        assert f"#SBATCH {line}\n" in script
    assert script.index("exit 0") < script.index("distributed.cli.dask_worker")
    assert "--nthreads 8 " in script
    assert not left(slurm)


def wait_for(condition: Callable[[], bool]) -> None:
    until = monotonic() + 30
    while not condition():
        assert monotonic() < until
        sleep(0.02)


def test_a_refused_submission_is_one_line_with_the_reason(slurm: Path, write_file: Callable[..., Path]) -> None:
    (slurm / "refuse").write_text("sbatch: error: invalid partition specified: gpu\n")
    path = write_file()
    with pytest.raises(InputError) as caught, submitted_jobs(path):
        pass
    reason = "a job can't be submitted: sbatch: error: invalid partition specified: gpu"
    assert str(caught.value) == f"--cluster {path}: {reason}"
    assert not groups(slurm)


def test_jobs_are_replaced_as_often_as_the_file_says(
    slurm: Path, write_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_queue, "_LOOK", 0.05)
    monkeypatch.setattr(job_queue, "_NO_JOBS", 3.0)
    with submitted_jobs(write_file(jobs=2, more="replacements = 3")) as connection:
        wait_for(lambda: len(groups(slurm)) == 2)
        (slurm / "refuse").write_text("sbatch: error: the queue is full\n")
        forget_all_jobs(connection)
        wait_for(lambda: patience_of(connection) == 3.0)
        with pytest.raises(InputError, match="a job can't be submitted: sbatch: error: the queue is full"):
            connection.connected()
    assert not left(slurm)


def patience_of(connection: Connection) -> float | None:
    return connection.patience


def forget_all_jobs(connection: Connection) -> None:
    """Make Dask forget all jobs, as when it has lost their workers."""
    cluster = connection.connected().cluster

    async def forget() -> None:
        for job in list(cluster.workers.values()):
            await job.close()
        cluster.workers.clear()

    cluster.sync(forget)


def test_a_machine_without_slurm_is_refused(write_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    path = write_file()
    with pytest.raises(InputError) as caught, submitted_jobs(path):
        pass
    assert str(caught.value) == (
        f"--cluster {path}: kind = 'slurm' needs the command sbatch, which isn't on the PATH; run this on a machine "
        "that submits jobs"
    )
