"""``nmebench run --shard`` and ``nmebench merge``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nmebench.cli.shard_lines import host_note
from nmebench.runs.run_record import ShardSource
from nmebench.runs.run_store import Run

Call = Callable[..., Any]


@pytest.fixture
def options(wflw: Path) -> list[str]:
    return ["--data", f"wflw:{wflw}", "--model", "oracle", "--decoder", "argmax", "--batch-size", "1"]


def test_shards_and_their_merge(nmebench: Call, options: list[str], tmp_path: Path) -> None:
    assert nmebench("run", *options, "-o", tmp_path / "whole").code == 0
    first = nmebench("run", *options, "--shard", "1/2", "-o", tmp_path / "parts/1")
    assert first.code == 0
    assert "wflw: oracle (landmarks): batches 1 to 2 of 4\nshard 1/2: " in first.out
    second = nmebench("run", *options, "--shard", "2/2", "-o", tmp_path / "parts/2", "--json")
    found = json.loads(second.out)
    assert (found["kind"], found["index"], found["count"]) == ("nmebench shard", 2, 2)
    assert found["networks"] == [
        {"dataset": "wflw", "model": "oracle", "box": "landmarks", "first_batch": 2, "batches": 2, "of": 4}
    ]
    merged = nmebench("merge", tmp_path / "parts/2", tmp_path / "parts/1", "-o", tmp_path / "merged", "--json")
    assert merged.code == 0
    assert len(json.loads(merged.out)["scores"]) == len(Run.open(tmp_path / "whole").score_rows())
    assert (tmp_path / "merged/scores.csv").read_bytes() == (tmp_path / "whole/scores.csv").read_bytes()
    again = nmebench("merge", tmp_path / "parts/2", tmp_path / "parts/1", "-o", tmp_path / "merged")
    assert (again.code, "--overwrite to replace it" in again.error_line) == (2, True)


def test_a_missing_shard_is_one_line(nmebench: Call, options: list[str], tmp_path: Path) -> None:
    nmebench("run", *options, "--shard", "1/2", "-o", tmp_path / "parts/1")
    result = nmebench("merge", tmp_path / "parts/1", "-o", tmp_path / "merged")
    assert result.code == 2
    assert result.error_line.startswith("nmebench: error: shard 2 of 2 is missing; compute 2 with: ")
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize("other", [["--workers", "2"], ["--scheduler", "tcp://x:1"], ["--cluster", "x.toml"]])
def test_a_shard_has_no_workers(nmebench: Call, options: list[str], tmp_path: Path, other: list[str]) -> None:
    result = nmebench("run", *options, "--shard", "1/2", *other, "-o", tmp_path / "part")
    assert result.code == 2
    assert "leave out --workers, --scheduler and --cluster, or --shard" in result.error_line


def test_two_clusters_are_refused(nmebench: Call, options: list[str], tmp_path: Path) -> None:
    result = nmebench("run", *options, "--workers", "2", "--cluster", "slurm.toml", "-o", tmp_path / "run")
    assert result.error_line == ("nmebench: error: --workers and --cluster name two clusters; give one of them")


def test_a_failed_plan_leaves_nothing(nmebench: Call, options: list[str], tmp_path: Path) -> None:
    result = nmebench("run", *options, "--decoder", "drak", "--shard", "1/2", "-o", tmp_path / "part")
    assert result.code == 2
    assert not (tmp_path / "part").exists()


def test_other_processors_are_noted() -> None:
    sources = [ShardSource(index=n, count=2, sha256="", host={"processor": name}) for n, name in ((1, "A"), (2, "B"))]
    assert host_note(sources[:1]) is None
    note = host_note(sources)
    assert note is not None
    assert note.startswith("the shards were computed on processors of 2 models (A; B), whose landmarks may differ")
