"""Fixtures: a small sweep as one run and as three shards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nmebench.shards import Shard, compute_shard
from nmebench.sweep import SweepConfiguration, execute
from nmebench.sweep.configuration import validate

RAW: dict[str, Any] = {
    "data": "synthface",
    "limit": 20,
    "models": [{"card": "synthface-mobilenetv3"}, {"card": "oracle"}],
    "decoders": ["argmax", "dark"],
    "batch_size": 4,
    "engine": "torch",
    "threads": 1,
}


@pytest.fixture(scope="session")
def configuration() -> SweepConfiguration:
    return validate(RAW, where="the test")


@pytest.fixture(scope="session")
def computed(tmp_path_factory: pytest.TempPathFactory, configuration: SweepConfiguration) -> Path:
    """A folder with the run ``whole`` and the shards ``S_1``, ``S_2`` and ``S_3``."""
    root = tmp_path_factory.mktemp("shards")
    execute(configuration, root / "whole", command=["nmebench", "run", "-o", "whole"])
    for index in (1, 2, 3):
        command = ["nmebench", "run", "sweep.toml", "--shard", f"{index}/3", "-o", f"S_{index}"]
        compute_shard([configuration], Shard(index, 3), root / f"S_{index}", command=command)
    return root


@pytest.fixture
def copied(computed: Path, tmp_path: Path) -> Path:
    """A copy of the shards that a test may damage."""
    for index in (1, 2, 3):
        shutil.copytree(computed / f"S_{index}", tmp_path / f"S_{index}")
    return tmp_path


@pytest.fixture
def edit() -> Callable[[Path, Callable[[dict[str, Any]], None]], None]:
    """``edit(SHARD, change)`` changes the content of ``shard.json`` in place."""

    def edit_shard(shard: Path, change: Callable[[dict[str, Any]], None]) -> None:
        content = json.loads((shard / "shard.json").read_text())
        change(content)
        (shard / "shard.json").write_text(json.dumps(content))

    return edit_shard
