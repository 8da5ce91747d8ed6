"""Tests of nmebench.check, compare, gate and report: the values of the commands, and tables for notebooks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nmebench as nb
from nmebench import gates
from nmebench.__main__ import main
from nmebench.runs.sweep_folder import SweepRecord, SweepRun

DARK = ("net", "dark", "none", "landmarks")
ARGMAX = ("net", "argmax", "none", "landmarks")
CARD = {
    "name": "net", "test": {"decoder": "dark", "flip": False}, "input": {"box": "landmarks", "colour": "rgb"},
    "output": {"kind": "heatmaps"},
    "reported": {"wflw": {"a <table>": {"nme": {"test": 3.0, "pose": 9.0}, "source": "a paper", "tolerance": 0.01}}},
}  # fmt: skip


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Runs ``nmebench ARGUMENTS --json`` and returns the exit code and the document."""

    def call(*arguments: str | Path) -> tuple[int, Any]:
        code = main([*map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return call


def sweep_of(folder: Path, *runs: nb.Run) -> Path:
    """Write the index of a sweep whose runs are in one folder."""
    entries = [{"folder": run.path.name, "data": "wflw:somewhere", "dataset": "wflw"} for run in runs]
    record = SweepRecord(runs=tuple(SweepRun.model_validate(entry) for entry in entries))
    (folder / "sweep.json").write_text(record.model_dump_json())
    return folder


def test_check_has_the_rows_of_the_command(
    make_run: Callable[..., nb.Run], command: Callable[..., tuple[int, Any]]
) -> None:
    run = make_run({DARK: 3.0, ARGMAX: 5.0}, cards={"net": CARD})
    for given in (run, run.path, str(run.path)):
        result = nb.check(given)
        assert (result.passed, result.exit_code) == (False, 1)
    assert not (run.path / "verdict.json").exists()
    code, document = command("check", run.path, "--no-explain")
    assert result.exit_code == code
    assert result.summary == document["summary"]
    shown = result.frame[["subset", "measured", "status", "reason"]].to_dict("records")
    assert shown == [{key: row[key] for key in shown[0]} for row in document["rows"]]
    assert sorted(result.frame["status"]) == ["deviates", "reproduced"]
    html = result._repr_html_()
    assert "<strong>failed</strong>" in html
    assert "a &lt;table&gt;" in html
    assert "a <table>" not in html
    assert repr(result) == f"<CheckedRun: {result.summary}>"


def test_check_with_causes(make_run: Callable[..., nb.Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmebench.checks.make_rerun", lambda run: None)
    run = make_run({DARK: 3.0, ARGMAX: 5.0}, cards={"net": CARD})
    verdict = nb.check(run, explain=True).verdicts[run.path.name]
    assert any(row.causes for row in verdict.rows)


def test_check_of_a_network_in_memory_runs_nothing_again(make_run: Callable[..., nb.Run]) -> None:
    from nmebench.checks import make_rerun

    run = make_run({DARK: 3.0}, cards={"net": CARD})
    assert make_rerun(run) is not None
    model = run.record.models[0].model_copy(update={"architecture": "memory:Net"})
    in_memory = nb.Run(run.path, run.record.model_copy(update={"models": [model]}))
    assert make_rerun(in_memory) is None
    assert not nb.check(in_memory, explain=True).passed


def test_compare_has_the_values_of_the_command(
    make_run: Callable[..., nb.Run], command: Callable[..., tuple[int, Any]]
) -> None:
    old, new = make_run({DARK: 3.0, ARGMAX: 5.0}), make_run({DARK: 3.2, ARGMAX: 5.0}, name="new")
    result = nb.compare(old, new.path)
    code, document = command("compare", old.path, new.path)
    assert (result.exit_code, result.summary) == (code, document["summary"])
    assert result.passed
    worse = result.frame.query("result == 'worse'").iloc[0]
    cells = [cell for row in document["rows"] for cell in row["cells"]]
    theirs = next(cell for cell in cells if cell["difference"] and cell["difference"]["result"] == "worse")
    assert (worse["nme"], worse["nme_pose"]) == (theirs["scores"]["nme"]["test"], theirs["scores"]["nme"]["pose"])
    assert {key: worse[key] for key in theirs["difference"]} == theirs["difference"]
    by_cell = [nb.compare((old, "dark"), (new, "dark")), nb.compare(f"{old.path}:dark", (new.path, "dark"))]
    for one in by_cell:
        assert one.frame["difference"].iloc[1] == worse["difference"]
    assert "<strong>passed</strong>" in result._repr_html_()


def test_compare_ranks_all_pairs(make_run: Callable[..., nb.Run]) -> None:
    run = make_run({DARK: 3.0, ARGMAX: 5.0})
    result = nb.compare(run, all_pairs=True)
    assert result.ranking["rank"].tolist() == [1, 2]
    assert result.frame.columns.tolist() == ["first", "second", "difference", "low", "high", "p", "result"]


def test_gate_has_the_rows_of_the_command(
    make_run: Callable[..., nb.Run], command: Callable[..., tuple[int, Any]], tmp_path: Path
) -> None:
    old, new = make_run({DARK: 3.0, ARGMAX: 5.0}), make_run({DARK: 3.2, ARGMAX: 5.0}, name="new")
    file = tmp_path / "baseline.json"
    gates.make_baseline(old).write(file)
    assert nb.gate(old, file).passed
    result = nb.gate(new, file)
    code, document = command("gate", new.path, "--baseline", file)
    assert (result.exit_code, result.summary, result.passed) == (code, document["summary"], False)
    columns = ["cell", "outcome", "before", "after", "difference", "reason"]
    assert result.frame[columns].to_dict("records") == [{key: row[key] for key in columns} for row in document["rows"]]
    for baseline in (old, old.path, str(old.path), gates.Baseline.read(file)):
        frame = nb.gate(new, baseline).frame.sort_values("cell", ignore_index=True)  # a file sorts the cells
        assert frame.equals(result.frame.sort_values("cell", ignore_index=True))
    assert nb.gate(new, file, margin=0.5).passed
    assert nb.gate(new, file, margin="20%").passed
    assert not nb.gate(new, limits=["*dark*/nme<=3.1"]).passed


def test_sweeps_have_the_result_of_their_worst_run(
    make_run: Callable[..., nb.Run], command: Callable[..., tuple[int, Any]], tmp_path: Path
) -> None:
    runs = make_run({DARK: 3.0}, cards={"net": CARD}), make_run({DARK: 3.0}, name="other")
    folder = sweep_of(tmp_path, *runs)
    result = nb.check(folder)
    code, document = command("check", folder, "--no-explain")
    assert result.exit_code == code == 1
    assert result.frame["run"].unique().tolist() == ["run"]
    assert list(result.verdicts) == list(document["runs"])
    gated = nb.gate(nb.load_sweep(folder), folder)
    assert gated.passed
    assert gated.frame["run"].tolist() == ["run", "other"]
    assert nb.report(folder, tmp_path / "page.html").stat().st_size > 10_000
    assert repr(nb.load_sweep(folder)) == f"<SweepFolder {folder.name}: run, other>"
    assert nb.load_sweep(folder)._repr_html_().count("<table") == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda run, old: nb.check("nowhere"), "nowhere: no run here", id="check"),
        pytest.param(lambda run, old: nb.check(3), "a int is no run", id="check a number"),
        pytest.param(lambda run, old: nb.compare(run), "only one run given", id="compare"),
        pytest.param(lambda run, old: nb.compare(), "no run given", id="compare nothing"),
        pytest.param(lambda run, old: nb.compare(run, 3), "a int is no run", id="compare a number"),
        pytest.param(lambda run, old: nb.compare((run, "dark", 1), run), "a run and a cell of it", id="compare tuple"),
        pytest.param(lambda run, old: nb.compare((run, "drak"), run), "no such cell", id="compare cell"),
        pytest.param(lambda run, old: nb.compare(run, old, level=1.5), "level 1.5", id="compare level"),
        pytest.param(lambda run, old: nb.gate(run), "neither a baseline nor a limit", id="gate nothing"),
        pytest.param(lambda run, old: nb.gate(run, old, margin=-1), "margin '-1'", id="gate margin"),
        pytest.param(lambda run, old: nb.gate(run, "nowhere.json"), "nowhere.json is missing", id="gate baseline"),
        pytest.param(lambda run, old: nb.gate(run, old, limits=["nmee<=3"]), "nmee<=3", id="gate limit"),
        pytest.param(lambda run, old: nb.report(run, run.path), "can't be written", id="report"),
        pytest.param(lambda run, old: nb.load(3), "a int is no path", id="load"),
        pytest.param(lambda run, old: nb.load_sweep(run.path), "sweep.json", id="load_sweep"),
    ],
)
def test_mistakes_are_one_line(make_run: Callable[..., nb.Run], call: Callable[..., object], message: str) -> None:
    run, old = make_run({DARK: 3.0, ARGMAX: 5.0}), make_run({DARK: 3.0}, name="old")
    with pytest.raises(nb.InputError, match=message) as caught:
        call(run, old)
    assert "\n" not in str(caught.value)


def test_run_is_shown_in_a_line_and_as_a_table(make_run: Callable[..., nb.Run]) -> None:
    run = make_run({DARK: 3.0, ARGMAX: 5.0})
    assert repr(run) == "<Run run: wflw, 60 faces, 1 network, 2 cells>"
    html = run._repr_html_()
    assert html.count("<tr>") == 2  # without the head
    assert "argmax" in html
    assert "Not scored" in make_run({DARK: 3.0}, name="unscored", scored=False)._repr_html_()


def test_faces_as_a_table(make_run: Callable[..., nb.Run]) -> None:
    run = make_run({DARK: 3.0})
    frame = run.faces_frame(landmarks=True)
    assert frame.columns.tolist()[:5] == ["face", "image", "line", "normaliser", "box_x"]
    assert frame["subset_pose"].sum() == run.record.dataset.counts["pose"]
    assert frame["image"].map(type).unique().tolist() == [str]
    cell = run.record.cells[0].id
    result = nb.evaluate(run.landmarks(cell), frame, scheme="wflw98")
    assert result.per_landmark["faces"].tolist() == [60] * 98
    assert len(run.faces_frame().columns) == 8 + 3
