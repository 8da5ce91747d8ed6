"""Tests of ``nmebench.load`` and of a run's table of faces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import nmebench as nb
from nmebench.runs.run_store import Run

DARK = ("net", "dark", "none", "landmarks")
ARGMAX = ("net", "argmax", "none", "landmarks")


def test_one_row_per_cell_and_face(make_run: Callable[..., Run]) -> None:
    run = make_run({DARK: 3.0, ARGMAX: 5.0})
    frame = nb.load(run.path).frame(cells="all")
    assert len(frame) == 2 * len(run.faces)
    assert list(frame.columns[:8]) == ["cell", "model", "decoder", "flip", "box", "face", "image", "nme"]
    means = frame[frame["subset_pose"]].groupby("decoder")["nme"].mean()
    scores = run.scores.set_index(["decoder", "subset"])["nme"]
    assert means.to_dict() == pytest.approx({name: scores[name, "pose"] for name in ("argmax", "dark")}, rel=1e-9)


def test_choice_of_cells(make_run: Callable[..., Run]) -> None:
    run = make_run({DARK: 3.0, ARGMAX: 5.0})
    frame = run.frame("dark")
    assert set(frame["decoder"]) == {"dark"}
    assert np.array_equal(frame["nme"], run.per_face[run.record.cells[0].id])
    assert list(dict.fromkeys(run.frame(["argmax", "dark", "argmax"])["decoder"])) == ["argmax", "dark"]
    with pytest.raises(nb.InputError, match="no such cell"):
        run.frame("drak")
