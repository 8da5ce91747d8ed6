"""The content of ``--json``; ``test_every_command.py`` tests the form for every command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench.runs.run_store import Run

Call = Callable[..., Any]


def parse(result: Any) -> Any:
    """The parsed output; NaN and Infinity are no JSON."""
    return json.loads(result.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_check_gate_and_score(nmebench: Call, make_run: Callable[..., Run], tmp_path: Path) -> None:
    card = {"name": "net", "reported": {"wflw": {"paper": {"nme": {"test": 9.0}, "tolerance": 0.01, "source": "x"}}}}
    nme = 4 + np.random.default_rng(0).normal(0, 0.1, 60)
    run = make_run({("net", "dark", "none", "landmarks"): nme}, cards={"net": card}).path
    verdict = parse(nmebench("check", run, "--no-explain", "--json"))
    assert (verdict["schema_version"], len(verdict["rows"])) == (1, 1)
    baseline = tmp_path / "baseline.json"
    assert nmebench("gate", run, "--baseline", baseline, "--update").code == 0
    gate = parse(nmebench("gate", run, "--baseline", baseline, "--json"))
    assert (gate["exit_code"], gate["rows"][0]["outcome"]) == (0, "passed")
    assert parse(nmebench("score", run, "--json"))["scores"][0]["nme"] == pytest.approx(nme.mean(), abs=1e-4)


def test_run(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    options = ["--data", f"wflw:{wflw}", "--model", "oracle", "--decoder", "argmax", "--no-pictures"]
    data = parse(nmebench("run", *options, "--json", "-o", tmp_path / "run"))
    assert data["scores"][0]["cell"] == "oracle__argmax__none__landmarks"
