"""The examples of docs/python.md run."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
from predicted_faces import SUBSETS, TRUTH, predictions

from nmebench.runs.run_store import Run

PAGE = Path(__file__).resolve().parents[1] / "docs/python.md"


def test_examples(make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    mpl.use("Agg")
    run = make_run({("net", "dark", "none", "landmarks"): 3.0}, name="RUN")
    monkeypatch.chdir(run.path.parent)
    names = {"pred": predictions(), "gt": TRUTH, "pose": SUBSETS["pose"]}
    outcome = doctest.testfile(str(PAGE), module_relative=False, globs=names)
    assert outcome.attempted > 10
    assert outcome.failed == 0
