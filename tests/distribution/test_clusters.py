"""The clusters of ``nmebench run``, and real worker processes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import dask.config
import pytest

from nmebench.__main__ import main
from nmebench.distribution import clusters
from nmebench.distribution.clusters import local_workers, running_scheduler, visible_gpus
from nmebench.errors import InputError

RUN = ["run", "--data", "synthface", "--limit", "24", "--model", "oracle", "--decoder", "dark", "--batch-size", "4"]


def test_the_message_without_dask_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "distributed" else found(name, *more)
    )
    with pytest.raises(InputError, match=r"pip install 'nmebench\[cluster\]'"), local_workers(2):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "0"], "--workers '0': give a number of processes, 1 or more, or gpu"),
        (["--workers", "two"], "--workers 'two': give a number of processes, 1 or more, or gpu"),
        (["--workers", "gpu"], "--workers gpu: torch finds no CUDA device here; give a number of workers"),
        (["--workers", "9999"], "--workers 9999: give 1 to 1024, or gpu"),
        (["--scheduler", "tcp://127.0.0.1:9"], "--scheduler tcp://127.0.0.1:9: no Dask scheduler answers there"),
        (["--scheduler", "nonsense:"], "--scheduler nonsense:: no Dask scheduler answers there"),
        (["--range-timeout", "5"], "--range-timeout needs"),
        (["--workers", "2", "--scheduler", "tcp://127.0.0.1:9"], "give one of them"),
        (["--workers", "2", "--shard", "1/2"], "--shard computes its part in this process"),
    ],
)
def test_bad_options_give_one_line(
    options: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clusters, "ANSWER", 0.5)
    monkeypatch.setattr(clusters, "visible_gpus", list)
    assert main([*RUN, *options, "-o", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run" / "run.json").exists()


def test_workers_that_cannot_start_give_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with dask.config.set({"distributed.worker.preload": "no_such_module"}):
        assert main([*RUN, "--workers", "1", "--quiet", "-o", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "the local workers can't start (ModuleNotFoundError: No module named 'no_such_module')" in error
    assert error.count("\n") == 1


def test_two_processes_give_the_bytes_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "-o", str(tmp_path / "one")]) == 0
    capsys.readouterr()
    assert main([*RUN, "--workers", "2", "-o", str(tmp_path / "two")]) == 0
    error = capsys.readouterr().err
    assert any(line.startswith("Dask ") for line in error.splitlines())
    assert "faces: 24 of 24" in error
    for name in ("scores.csv", "per_face.parquet", "landmarks/oracle__dark__none__landmarks.npy"):
        paths = [tmp_path / run / name for run in ("one", "two")]
        assert paths[0].read_bytes() == paths[1].read_bytes(), name
    record = json.loads((tmp_path / "two" / "run.json").read_text())
    assert sum(machine["faces"] for machine in record["provenance"]["workers"]) == 24


def test_each_gpu_has_a_worker_that_sees_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a stand-in: two GPUs that don't exist; the worker reads the variable as CUDA does."""
    import os

    monkeypatch.setattr(clusters, "visible_gpus", lambda: ["3", "GPU-5a"])
    with local_workers("gpu") as connection:
        client = connection.connected()
        client.wait_for_workers(2, timeout=60)
        seen = client.run(lambda: os.environ["CUDA_VISIBLE_DEVICES"])
    assert sorted(seen.values()) == ["3", "GPU-5a"]


@pytest.mark.parametrize(
    ("variable", "count", "expected"),
    [
        (None, 2, ["0", "1"]),
        ("4,7", 2, ["4", "7"]),
        ("GPU-1, GPU-2", 2, ["GPU-1", "GPU-2"]),
        ("", 0, []),
        (None, 0, []),
    ],
)
def test_visible_gpus(monkeypatch: pytest.MonkeyPatch, variable: str | None, count: int, expected: list[str]) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert visible_gpus() == expected


def test_a_scheduler_without_workers_is_a_connection() -> None:
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=0, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None) as one,
        running_scheduler(one.scheduler_address) as connection,
    ):
        assert one.scheduler_address in connection.describe() or "dashboard" in connection.describe()


@pytest.mark.slow
def test_kills_and_restarts_change_no_byte(tmp_path: Path) -> None:
    """A part of what docs/tools/try_cluster.py tries by default."""
    import subprocess
    import sys

    script = Path(__file__).parents[2] / "docs/tools/try_cluster.py"
    options = ["--limit", "120", "--workers", "2", "--kills", "2", "--double-kills", "1"]
    options += ["--folder", str(tmp_path / "try")]
    done = subprocess.run([sys.executable, str(script), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 of 7 runs passed" in done.stdout
