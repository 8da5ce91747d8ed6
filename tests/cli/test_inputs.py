"""Input files and options that could stop a command without a word: one line and exit code 2 each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench.runs.run_store import Run

Call = Callable[..., Any]
CELL = ("net", "dark", "flip+shift", "landmarks")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("x = " + "[" * 50_000, "nested", id="nested"),
        pytest.param("seed = " + "9" * 5000, "digits", id="5000-digits"),
        pytest.param("seed = " + "9" * 400, "'seed'", id="400-digits"),
        pytest.param("cache_budget_gib = inf", "cache_budget_gib", id="infinite-budget"),
        pytest.param("cache_budget_gib = nan", "cache_budget_gib", id="budget-that-is-no-number"),
        pytest.param("box_padding = nan", "box_padding", id="padding"),
    ],
)
def test_sweep_file(nmebench: Call, tmp_path: Path, content: str, expected: str) -> None:
    file = tmp_path / "sweep.toml"
    file.write_bytes(b"\xef\xbb\xbf" + f'data = "synthface"\nmodels = ["oracle"]\n{content}\n'.encode())
    result = nmebench("run", file, "-o", tmp_path / "out")
    assert (result.code, expected in result.error_line) == (2, True), result.error_line
    assert len(result.error_line) < 1000
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["pipe", "endless", "folder", "long"])
def test_sweep_file_that_is_not_regular(nmebench: Call, tmp_path: Path, kind: str) -> None:
    file = {"endless": Path("/dev/zero"), "long": tmp_path / ("x" * 300)}.get(kind, tmp_path / "sweep")
    if kind == "pipe":
        os.mkfifo(file)
    if kind == "folder":
        file.mkdir()
    result = nmebench("run", file, "-o", tmp_path / "out")
    assert (result.code, "sweep file" in result.error_line) == (2, True)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        pytest.param("--decoder", "dark:kernel=" + "9" * 400, id="400-digits"),
        pytest.param("--decoder", "dark:kernel=" + "9" * 5000, id="5000-digits"),
        pytest.param("--cache-budget", "inf", id="infinite-budget"),
        pytest.param("--cache-budget", "nan", id="budget-that-is-no-number"),
        pytest.param("--seed", "9" * 400, id="seed"),
        pytest.param("--data", "wflw:" + "x" * 300, id="long-data"),
        pytest.param("--model", "x" * 300, id="long-model"),
        pytest.param("-o", "x" * 300, id="long-output"),
    ],
)
def test_option(
    nmebench: Call, wflw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"--data": f"wflw:{wflw}", "--model": "oracle", "--decoder": "argmax", "-o": "out", option: value}
    result = nmebench("run", *(word for pair in options.items() for word in pair))
    assert result.code == 2
    assert result.error_line
    assert not (tmp_path / "out/run.json").exists()


@pytest.mark.parametrize("name", ["=cmd", "+x", "-x", "@x", "\tx", "\rx", ""])
def test_name_that_a_spreadsheet_would_run(nmebench: Call, tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "t.npz", landmarks=np.random.default_rng(0).uniform(0, 100, (2, 98, 2)))
    result = nmebench(
        "score", tmp_path / "t.npz", "--data", f"landmarks:{tmp_path}/t.npz", f"--name={name}", "-o", tmp_path / "run"
    )
    assert (result.code, "name" in result.error_line) == (2, True), result.error_line
    assert not (tmp_path / "run").exists()


def test_subset_that_a_spreadsheet_would_run(nmebench: Call, tmp_path: Path) -> None:
    truth = np.random.default_rng(0).uniform(0, 100, (2, 98, 2))
    np.savez(tmp_path / "t.npz", **{"landmarks": truth, "subset_=1+1": np.ones(2, bool)})
    result = nmebench("score", tmp_path / "t.npz", "--data", f"landmarks:{tmp_path}/t.npz", "-o", tmp_path / "run")
    assert (result.code, "'=1+1'" in result.error_line) == (2, True), result.error_line


def test_no_predictions(nmebench: Call, tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", landmarks=np.random.default_rng(0).uniform(0, 100, (2, 98, 2)))
    for shape in ((0, 98, 2), (0, 196)):
        np.save(tmp_path / "p.npy", np.zeros(shape))
        result = nmebench("score", tmp_path / "p.npy", "--data", f"landmarks:{tmp_path}/t.npz", "-o", tmp_path / "run")
        assert (result.code, "no faces" in result.error_line) == (2, True), result.error_line


@pytest.mark.parametrize("models", [["Net", "net"], ["ß", "é"]], ids=["upper-case", "not-ascii"])
def test_models_with_one_cell_id(nmebench: Call, wflw: Path, tmp_path: Path, models: list[str]) -> None:
    """Their files would have one name: the sweep is refused before it starts."""
    arguments = []
    for number, name in enumerate(models):
        card = tmp_path / f"{number}.toml"
        card.write_text(f'name = "{name}"\narchitecture = "oracle"\n', encoding="utf-8")
        arguments += ["--model", card]
    result = nmebench("run", "--data", f"wflw:{wflw}", *arguments, "--decoder", "argmax", "-o", tmp_path / "run")
    assert (result.code, "would both be stored as" in result.error_line) == (2, True), result.error_line


@pytest.mark.parametrize("option", ["--junit", "--markdown"])
def test_gate_output_in_a_missing_folder(
    nmebench: Call, make_run: Callable[..., Run], tmp_path: Path, option: str
) -> None:
    """It is refused before the baseline and the run are read."""
    result = nmebench("gate", tmp_path / "no-run", "--baseline", "no-file", option, tmp_path / "missing/gate.xml")
    assert (result.code, f"{option} " in result.error_line, "create it" in result.error_line) == (2, True, True)


def test_other_outputs_in_a_missing_folder(nmebench: Call, tmp_path: Path) -> None:
    missing = tmp_path / "missing/page"
    for command in (["compare", "a", "b", "--markdown"], ["compare", "a", "b", "-o"], ["report", "a", "-o"]):
        result = nmebench(*command, missing)
        assert (result.code, "create it first" in result.error_line) == (2, True)
    result = nmebench("gate", "a", "--update", "--baseline", missing)
    assert (result.code, "create it first" in result.error_line) == (2, True)


@pytest.mark.parametrize("existed", [False, True])
def test_a_refused_run_leaves_nothing(nmebench: Callable[..., Any], wflw: Path, tmp_path: Path, existed: bool) -> None:
    """The folder and its lock are made before the networks are loaded, and removed when one is refused."""
    out = tmp_path / "run"
    if existed:
        out.mkdir()
    card = tmp_path / "card.toml"
    card.write_text('name = "net"\narchitecture = "python:net.py:Net"\n')
    (tmp_path / "net.py").write_text("def Net(**options):\n    raise ValueError('not today')\n")
    result = nmebench("run", "--data", f"wflw:{wflw}", "--model", card, "-o", out)
    assert (result.code, "not today" in result.error_line) == (2, True), result.err
    assert out.exists() == existed
    assert not existed or not any(out.iterdir())
