"""Hints where a name is almost right, or a file is of another kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param("net.onnx", "`nmebench card new net.onnx -o card.toml`", id="onnx"),
        pytest.param("elsewhere/NET.ONNX", "an ONNX network, not a card", id="upper-case"),
        pytest.param("net.pth", "give the network's card to --model and this file to --weights", id="weights"),
        pytest.param("net.py", "--model python:net.py:CLASS", id="code"),
        pytest.param("net.yaml", "net.yaml is no card, which is a TOML file", id="yaml"),
        pytest.param("net.json", "net.json is no card, which is a TOML file", id="json"),
        pytest.param("folder", "folder is a folder, not a card; name the card in it: folder/card.toml", id="folder"),
        pytest.param("Synthface_HRNet_small", "did you mean 'synthface-hrnet-small'", id="spelling"),
        pytest.param("CARD.toml", "did you mean", id="case of a file"),
    ],
)
def test_model(nmebench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, expected: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "card.toml").write_text("")
    (tmp_path / "folder").mkdir()
    result = nmebench("run", "--data", "synthface", "--model", model, "--decoder", "argmax", "-o", "run")
    assert (result.code, expected in result.error_line) == (2, True), result.error_line


def test_data(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    for data, expected in ((f"WFLW:{wflw}", "did you mean 'wflw'"), (f"wflw:{wflw.with_name('wflw')}", str(wflw))):
        result = nmebench("run", "--data", data, "--model", "oracle", "--decoder", "argmax", "-o", tmp_path / "run")
        assert (result.code, expected in result.error_line) == (2, True), result.error_line


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--data", "wflw=PATH", "'wflw=PATH' is no name; write wflw:PATH"),
        ("--data", "wflw/PATH", "'wflw/PATH' is no name; write wflw:PATH"),
        ("--data", "wflw PATH", "'wflw PATH' is no name; write wflw:PATH"),
        ("--data", "synthface,wflw:PATH", "'synthface,wflw' is no name; give each data set on its own"),
        ("--data", "wflw_geometry:PATH", "did you mean 'wflw-geometry'"),
        ("--data", "300-W:PATH", "did you mean '300w'"),
        ("--decoder", "DARK", "did you mean 'dark'"),
        ("--decoder", "dark_udp", "did you mean 'dark-udp'"),
        ("--decoder", "dark(kernel=17)", "'dark(kernel=17)' is no name; write dark or dark:key=value"),
        ("--decoder", "dark,argmax", "'dark,argmax' is no name; give each decoder on its own"),
        ("--decoder", "dark:Kernel=17", "did you mean 'kernel'"),
        ("--box", "Landmarks", "did you mean 'landmarks'"),
        ("--engine", "TORCH", "did you mean 'torch'"),
        ("--scheme", "WFLW-98", "did you mean 'wflw98'"),
        ("--normaliser", "Inter_Ocular", "did you mean 'inter-ocular'"),
        ("--format", "HRNet_CSV", "did you mean 'hrnet-csv'"),
        ("--test-time", "Flip_Shift", "did you mean 'flip+shift'"),
        ("--model", "ORACLE", "did you mean 'oracle'"),
    ],
)
def test_names_that_are_almost_right(
    nmebench: Call, wflw: Path, tmp_path: Path, option: str, value: str, expected: str
) -> None:
    given = {"--data": f"wflw:{wflw}", "--model": "oracle", "--decoder": "argmax", option: value}
    words = [word for pair in given.items() for word in pair]
    result = nmebench("run", *words, "-o", tmp_path / "run")
    assert (result.code, expected in result.error_line) == (2, True), result.error_line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("list published --dataset WFLW", "did you mean 'wflw'"),
        ("list published --method SPIGO", "did you mean 'SPIGA'"),
        ("list schemes --scheme WFLW_98", "did you mean 'wflw98'"),
        ("contract Decoder dark", "did you mean 'decoder'"),
        ("contract box Rect", "did you mean 'rect'"),
        ("train Synthface_Short -o x", "did you mean 'synthface-short'"),
        ("data fetch WFLW", "did you mean 'wflw'"),
        ("bench --network HRNetV2_W18", "did you mean 'hrnetv2-w18'"),
        ("bench --engine Torch", "did you mean 'torch'"),
    ],
)
def test_names_in_other_commands(nmebench: Call, line: str, expected: str) -> None:
    result = nmebench(*line.split())
    assert (result.code, expected in result.error_line) == (2, True), result.error_line


def test_cells_and_limits(nmebench: Call, make_run: Call) -> None:
    run = make_run({("net", "dark", "none", "landmarks"): 4.0, ("net", "argmax", "none", "landmarks"): 5.0}).path
    assert nmebench("compare", f"{run}:DARK", f"{run}:Argmax").code == 0
    for arguments, expected in (
        (["tables", run, "--decoder", "DARK"], "did you mean 'dark'"),
        (["tables", run, "--metric", "NME"], "did you mean 'nme'"),
        (["gate", run, "--limit", "NME<=4"], "write it in lower case, as nme<=4"),
        (["score", run, "--normaliser", "BOX_SIZE"], "did you mean 'box-size'"),
    ):
        result = nmebench(*arguments)
        assert (result.code, expected in result.error_line) == (2, True), result.error_line


def test_run(nmebench: Call, tmp_path: Path) -> None:
    (tmp_path / "My run").mkdir()
    result = nmebench("check", tmp_path / "my_run")
    assert (result.code, f"did you mean '{tmp_path}/My run'?" in result.error_line) == (2, True), result.error_line
