"""Scoring of landmarks from other programs, compared with published and calculated values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench.runs.run_store import Run

Call = Callable[..., Any]


def test_predictions_of_spiga_give_its_published_nme(nmebench: Call, shared: Path, tmp_path: Path) -> None:
    file = shared / "oracle/metrics/spiga_real_300wpublic.npz"
    result = nmebench("score", f"{file}::pred", "--data", f"landmarks:{file}::gt", "-o", tmp_path / "run")
    assert result.code == 0, result.err
    run = Run.open(tmp_path / "run")
    published = json.loads(file.with_suffix(".json").read_text())["corners"]["spiga"]["nme"]
    assert run.record.dataset.scheme == "ibug68"
    assert run.score_rows()[0]["nme"] == pytest.approx(published, abs=1e-6)
    assert round(run.score_rows()[0]["nme"], 4) == 2.9937


def test_constant_displacement_gives_the_calculated_nme(nmebench: Call, tmp_path: Path) -> None:
    truth = np.random.default_rng(0).uniform(0, 100, (6, 98, 2))
    moved = truth + np.array([3.0, 4.0])
    np.savez(tmp_path / "truth.npz", landmarks=truth, subset_pose=np.arange(6) % 2 == 0)
    np.savez(tmp_path / "p.npz", landmarks=moved)
    result = nmebench("score", tmp_path / "p.npz", "--data", f"landmarks:{tmp_path}/truth.npz", "-o", tmp_path / "run")
    assert result.code == 0, result.err
    run = Run.open(tmp_path / "run")
    expected = 100 * 5 / np.linalg.norm(truth[:, 60] - truth[:, 72], axis=1)
    rows = {row["subset"]: row for row in run.score_rows()}
    assert rows["test"]["nme"] == pytest.approx(expected.mean(), rel=1e-5)
    assert rows["pose"]["nme"] == pytest.approx(expected[::2].mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        pytest.param({"other": np.zeros((2, 98, 2))}, "no array 'landmarks'", id="missing array"),
        pytest.param({"landmarks": np.zeros((2, 97, 2))}, "97 points", id="unknown landmark scheme"),
        pytest.param({"landmarks": np.full((2, 98, 2), np.nan)}, "face 0", id="not finite"),
        pytest.param({"landmarks": np.zeros((2, 196))}, "expected floats", id="flat"),
        pytest.param(
            {"landmarks": np.arange(392.0).reshape(2, 98, 2), "subset_pose": np.zeros(3, bool)},
            "pose is bool [3]",
            id="a short subset",
        ),
    ],
)
def test_bad_ground_truth(nmebench: Call, tmp_path: Path, arrays: dict[str, np.ndarray], expected: str) -> None:
    np.savez(tmp_path / "t.npz", **arrays)
    result = nmebench("score", tmp_path / "t.npz", "--data", f"landmarks:{tmp_path}/t.npz", "-o", tmp_path / "run")
    assert result.code == 2
    assert expected in result.error_line, result.error_line
    assert not (tmp_path / "run/run.json").exists()


def test_ground_truth_that_is_not_an_npz(nmebench: Call, tmp_path: Path) -> None:
    (tmp_path / "t.npz").write_bytes(b"<html>")
    result = nmebench("score", tmp_path / "t.npz", "--data", f"landmarks:{tmp_path}/t.npz", "-o", tmp_path / "run")
    assert (result.code, "not an npz" in result.error_line) == (2, True)
