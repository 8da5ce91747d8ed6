"""Thresholds and normalisers on the command line: every command reads the columns that the run has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench.runs.run_store import Run

Call = Callable[..., Any]


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Six faces in the form of 300-W private, and landmarks of another program beside them."""
    rng = np.random.default_rng(2)
    truth = rng.uniform(20, 180, (6, 68, 2))
    faces = [{"image": f"indoor_{i}.png", "landmarks": truth[i].tolist(), "subsets": ["dark"]} for i in range(6)]
    (tmp_path / "faces.json").write_text(json.dumps({"faces": faces}))
    np.savez(tmp_path / "found.npz", landmarks=truth + rng.normal(0, 3, truth.shape))
    (tmp_path / "own.toml").write_text(
        'name = "own"\ntitle = "Own"\nscheme = "ibug68"\nnormaliser = "box-size"\nthresholds = [7, 2.5]\n'
        '[files.test]\nfaces-json = "faces.json"\n[counts.test]\ntest = 6\ndark = 6\n'
    )
    return tmp_path


def test_a_benchmark_decides_unless_the_command_does(nmebench: Call, private: Path) -> None:
    data = ("--data", f"benchmark:{private}/own.toml")
    result = nmebench("score", private / "found.npz", *data, "-o", private / "RUN")
    assert result.code == 0, result.err
    run = Run.open(private / "RUN")
    assert (run.record.normaliser, run.record.thresholds) == ("box-size", (7.0, 2.5))
    assert [name for name in run.scores.columns if name.startswith(("fr", "auc"))][:6] == [
        "fr7", "auc7", "fr7_count", "fr2.5", "auc2.5", "fr2.5_count",
    ]  # fmt: skip
    assert "FR@2.5" in result.out
    options = ("--normaliser", "inter-pupil", "--threshold", "8")
    assert nmebench("score", private / "found.npz", *data, *options, "-o", private / "OTHER").code == 0
    other = Run.open(private / "OTHER").record
    assert (other.normaliser, other.thresholds) == ("inter-pupil", (8.0,))


def test_every_command_reads_the_columns_of_the_run(nmebench: Call, private: Path) -> None:
    data = ("--data", f"benchmark:{private}/own.toml")
    run = private / "RUN"
    nmebench("score", private / "found.npz", *data, "-o", run)
    assert nmebench("check", run, "--no-explain").code == 3
    assert nmebench("report", run, "-o", private / "page.html").code == 0
    page = (private / "page.html").read_text(encoding="utf-8")
    assert "FR@7" in page
    assert "AUC@2.5" in page
    assert "FR@10" not in page
    assert "auc2.5" in nmebench("score", run, "--json").out
    for metric in ("nme", "fr7", "auc2.5"):
        table = nmebench("tables", run, "--metric", metric)
        assert table.code == 0, table.err
    refused = nmebench("tables", run, "--metric", "fr10")
    assert refused.code == 2
    assert "not among the scores" in refused.error_line
    assert "--threshold 10 -o OTHER" in refused.error_line
    baseline = private / "baseline.json"
    assert nmebench("gate", run, "--baseline", baseline, "--update", "--limit", "auc2.5>=0").code == 0
    (cell,) = json.loads(baseline.read_text())["cells"].values()
    assert {"fr7", "auc7", "fr2.5", "auc2.5"} <= set(cell)
    assert nmebench("gate", run, "--baseline", baseline, "--limit", "fr8<=100").code == 0
    added = nmebench(
        "history", "add", run, "--to", private / "h", "--commit", "0123456", "--time", "1", "--allow-dirty"
    )
    assert added.code == 0, added.err
    (entry,) = (private / "h").iterdir()
    assert '"auc2.5"' in entry.read_text()
    assert nmebench("history", "report", private / "h", "-o", private / "history.html").code == 0


def test_a_run_is_rescored_and_stays(nmebench: Call, private: Path) -> None:
    run = private / "RUN"
    nmebench("score", private / "found.npz", "--data", f"benchmark:{private}/own.toml", "-o", run)
    before = (run / "scores.csv").read_bytes()
    printed = nmebench("score", run, "--normaliser", "inter-ocular", "--threshold", "8", "--threshold", "10")
    assert printed.code == 0, printed.err
    assert "normaliser inter-ocular instead of box-size; thresholds 8, 10 instead of 7, 2.5" in printed.out
    assert f"not stored: {run} is unchanged" in printed.out
    assert (run / "scores.csv").read_bytes() == before
    data = json.loads(nmebench("score", run, "--normaliser", "inter-ocular", "--json").out)
    assert (data["stored"], data["normaliser"], data["run"]) == (False, "inter-ocular", str(run))
    assert data["rescored"]["normaliser"] == "box-size"
    stored = nmebench("score", run, "--threshold", "8", "-o", private / "OTHER")
    assert stored.code == 0, stored.err
    assert Run.open(private / "OTHER").record.thresholds == (8.0,)
    gated = nmebench("gate", private / "OTHER", "--limit", "fr8<=100")
    assert gated.code == 0, gated.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(("--threshold", "0.08"), "write 8 for 0.08", id="fraction"),
        pytest.param(("--normaliser", "box-sise"), "did you mean 'box-size'?", id="name"),
        pytest.param(("-o", "OTHER"), "or give --normaliser or --threshold", id="out-alone"),
        pytest.param(("--threshold", "8", "--like", "oracle"), "remove the declared options", id="declared"),
    ],
)
def test_options_that_are_refused(nmebench: Call, make_run: Call, options: tuple[str, ...], words: str) -> None:
    run = make_run({("net", "dark", "none", "landmarks"): 4.0}).path
    result = nmebench("score", run, *options)
    assert result.code == 2
    assert words in result.error_line


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param('"box-size"', '"box-sise"', "unknown normaliser of ibug68 'box-sise'; did you mean", id="name"),
        pytest.param("[7, 2.5]", "[0.07]", "write 7 for 0.07", id="fraction"),
        pytest.param("[7, 2.5]", "[]", "0 thresholds: give one", id="none"),
        pytest.param('"box-size"', '"annotated-box-size"', "needs the box of each face", id="no-boxes"),
    ],
)
def test_a_benchmark_that_is_refused(nmebench: Call, private: Path, old: str, new: str, words: str) -> None:
    file = private / "own.toml"
    file.write_text(file.read_text().replace(old, new))
    result = nmebench("score", private / "found.npz", "--data", f"benchmark:{file}", "-o", private / "RUN")
    assert result.code == 2
    assert words in result.error_line


def test_a_sweep_at_another_threshold(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    options = ("--data", f"wflw:{wflw}", "--model", "oracle", "--decoder", "argmax", "--no-pictures")
    run = tmp_path / "RUN"
    result = nmebench("run", *options, "--threshold", "8", "--normaliser", "box-size", "-o", run)
    assert result.code == 0, result.err
    record = Run.open(run).record
    assert (record.thresholds, record.configuration["thresholds"]) == ((8.0,), [8.0])
    assert "fr8_count" in Run.open(run).scores
    assert nmebench("run", *options, "--threshold", "0.08", "-o", tmp_path / "other").code == 2
