"""Fixtures: a small WFLW folder, and the command line called in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from nmebench.__main__ import main
from nmebench.runs.run_store import Run

LIST = Path("WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt")


@dataclass(frozen=True)
class CommandResult:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def error_line(self) -> str:
        """The error message; asserts that it is one line without a traceback."""
        lines = [line for line in self.err.splitlines() if line.startswith("nmebench: ")]
        assert "Traceback" not in self.err
        assert len(lines) == 1, self.err
        return lines[0]


@pytest.fixture
def nmebench(capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """A function that runs ``nmebench ARGUMENTS``."""

    def call(*arguments: object) -> CommandResult:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return CommandResult(code, captured.out, captured.err)

    return call


@pytest.fixture
def wflw(tmp_path: Path) -> Path:
    """Four faces in three photographs, in WFLW's layout; the attributes are the bits of the face's number."""
    root = tmp_path / "WFLW"
    (root / LIST).parent.mkdir(parents=True)
    (root / "WFLW_images/a").mkdir(parents=True)
    generator = np.random.default_rng(0)
    lines = []
    for face, name in enumerate(["a/one.jpg", "a/two.jpg", "a/two.jpg", "a/three.jpg"]):
        pixels = generator.integers(0, 255, (150, 160, 3), np.uint8)
        cv2.imwrite(str(root / "WFLW_images" / name), cv2.GaussianBlur(pixels, (9, 9), 0))
        points = generator.uniform(30, 110, (98, 2))
        attributes = [(face >> bit) & 1 for bit in range(6)]
        tokens = [*(f"{v:.6f}" for v in points.ravel()), "28", "27", "115", "113", *map(str, attributes), name]
        lines.append(" ".join(tokens))
    (root / LIST).write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def make_reported_run(make_run: Callable[..., Run]) -> Callable[..., Run]:
    """``make_reported_run(nme, ...)`` writes a run with an NME of 4 % whose card reports ``nme``."""

    def make(nme: float, **options: Any) -> Run:
        card = {
            "name": "net",
            "input": {"box": "landmarks"},
            "output": {"kind": "heatmaps"},
            "test": {"decoder": "dark", "flip": True, "shift": True},
            "reported": {"wflw": {"paper": {"nme": {"test": nme}, "source": "a test", "tolerance": 0.01}}},
        }
        return make_run({("net", "dark", "flip+shift", "landmarks"): 4.0}, cards={"net": card}, **options)

    return make
