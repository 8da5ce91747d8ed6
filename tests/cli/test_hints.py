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
        pytest.param("folder/NET.ONNX", "an ONNX network, not a card", id="upper-case"),
        pytest.param("net.pth", "give the network's card to --model and this file to --weights", id="weights"),
        pytest.param("net.py", "--model python:net.py:CLASS", id="code"),
        pytest.param("Synthface_HRNet_small", "did you mean 'synthface-hrnet-small'", id="spelling"),
        pytest.param("CARD.toml", "did you mean", id="case of a file"),
    ],
)
def test_model(nmebench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, expected: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "card.toml").write_text("")
    result = nmebench("run", "--data", "synthface", "--model", model, "--decoder", "argmax", "-o", "run")
    assert (result.code, expected in result.error_line) == (2, True), result.error_line


def test_data(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    for data, expected in ((f"WFLW:{wflw}", "did you mean 'wflw'"), (f"wflw:{wflw.with_name('wflw')}", str(wflw))):
        result = nmebench("run", "--data", data, "--model", "oracle", "--decoder", "argmax", "-o", tmp_path / "run")
        assert (result.code, expected in result.error_line) == (2, True), result.error_line


def test_run(nmebench: Call, tmp_path: Path) -> None:
    (tmp_path / "My run").mkdir()
    result = nmebench("check", tmp_path / "my_run")
    assert (result.code, f"did you mean '{tmp_path}/My run'?" in result.error_line) == (2, True), result.error_line
