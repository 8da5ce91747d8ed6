"""The examples of docs/python.md run."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
import torch
from predicted_faces import SUBSETS, TRUTH, predictions

from nmebench import gates, synthface
from nmebench.models.model_in_memory import Model
from nmebench.runs.run_store import Run

PAGE = Path(__file__).resolve().parents[1] / "docs/python.md"


def test_examples(make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpl.use("Agg")
    cell = ("net", "dark", "none", "landmarks")
    stored = make_run({cell: 3.0}, name="STORED")
    make_run({cell: 3.2}, name="NEW")
    gates.make_baseline(stored).write(tmp_path / "baseline.json")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    faces = f"synthface:{synthface.make(tmp_path / 'faces', faces=8, seed=1, workers=1)}"
    torch.manual_seed(0)
    net = torch.nn.Conv2d(3, 98, 4, stride=4)
    described = {"input_size": (64, 64), "mean": (120, 120, 120), "std": (60, 60, 60), "output": "heatmaps"}
    names = {"pred": predictions(), "gt": TRUTH, "pose": SUBSETS["pose"], "faces": faces, "net": net}
    names |= {"my_module": Model(net, **described)}
    outcome = doctest.testfile(str(PAGE), module_relative=False, globs=names)
    assert outcome.attempted > 20
    assert outcome.failed == 0
