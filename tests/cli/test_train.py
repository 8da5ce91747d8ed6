"""``nmebench train`` prints a line per record of the log, and ends cleanly when it is interrupted."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from command_cases import RECIPE, write_wflw

from nmebench.cli.training_lines import TrainingLines


def test_lines_with_rate_and_time_left() -> None:
    now, printed = [0.0], []
    lines = TrainingLines(printed.append, clock=lambda: now[0])
    lines({"event": "prepare", "what": "opening 200 faces of synthface"})
    lines({"event": "start", "step": 100, "of": 400, "device": "cpu"})  # resumed at step 100
    now[0] = 50.0
    lines({"event": "step", "step": 200, "epoch": 1, "loss": 0.01234567, "faces_per_second": 12.34})
    now[0] = 5000.0
    lines({"event": "step", "step": 300, "epoch": 2, "loss": 1e-5, "faces_per_second": 0.5})
    lines({"event": "step", "step": 400, "epoch": 3, "loss": 0.5, "faces_per_second": 9.0})
    lines({"event": "validation", "step": 400, "epoch": 3, "nme": 5.4321})
    lines({"event": "end", "step": 400, "nme": None})
    lines({"event": "end", "step": 400, "nme": 5.4})
    assert printed == [
        "opening 200 faces of synthface ...",
        "step 100 of 400 on cpu",
        "step 200 of 400: epoch 2, loss 0.01235, 12.3 faces/s, 1 min 40 s left",
        "step 300 of 400: epoch 3, loss 1e-05, 0.5 faces/s, 41 min 40 s left",
        "step 400 of 400: epoch 4, loss 0.5, 9.0 faces/s",
        "step 400 of 400: validation NME 5.432 %",
        "step 400 of 400: final validation NME 5.400 %",
    ]


def test_interrupted_training_ends_with_one_line_and_resumes(
    nmebench: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wflw(tmp_path / "wflw")
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("epochs = 1", "epochs = 2"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    assert nmebench("train", "recipe.toml", "-o", "whole", "-q").code == 0
    print_line = TrainingLines.__call__

    def interrupt(self: TrainingLines, entry: Mapping[str, Any]) -> None:
        print_line(self, entry)
        if entry["event"] == "step" and entry["step"] == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingLines, "__call__", interrupt)
        result = nmebench("train", "recipe.toml", "-o", "parts")
    assert result.code == 128 + signal.SIGINT
    assert result.error_line.endswith("run the same command again to resume")
    assert not (tmp_path / "parts/tiny.toml").exists()
    result = nmebench("train", "recipe.toml", "-o", "parts", "-q")
    assert (result.code, result.out) == (0, "card: parts/tiny.toml\n")
    whole, parts = (tmp_path / name / "tiny.safetensors" for name in ("whole", "parts"))
    assert parts.read_bytes() == whole.read_bytes()
