"""One sweep over several data sets: its folder, what is refused before a network runs, and an interruption."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import models
from nmebench.__main__ import main
from nmebench.errors import InputError
from nmebench.runs import sweep_folder
from nmebench.runs.run_store import Run
from nmebench.runs.sweep_folder import SweepFolder
from nmebench.sweep import execute, execute_several
from nmebench.sweep.configuration import load, validate, validate_several
from nmebench.sweep.network_sweep import NetworkSweep

Sweep = Callable[..., SweepFolder]
SETTINGS: dict[str, Any] = {"models": ["oracle"], "decoders": ["argmax", "dark"], "threads": 1, "engine": "torch"}
"""The oracle reads no photographs, so that a sweep takes a fraction of a second."""


@pytest.fixture
def data(few_faces: Path, faces300w: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    return [f"wflw:{few_faces}", f"300w:{faces300w}"]


@pytest.fixture
def sweep(data: list[str], tmp_path: Path) -> Sweep:
    def run(
        out: str = "out", given: Sequence[str] | None = None, overwrite: bool = False, **changes: Any
    ) -> SweepFolder:
        progress = changes.pop("progress", None)
        raw = {**SETTINGS, "data": list(given or data), **changes}
        configurations = validate_several(raw, where="a test")
        return execute_several(configurations, tmp_path / out, overwrite=overwrite, progress=progress)

    return run


def content(folder: Path) -> dict[str, str]:
    """Hashes of all files but the timings; of ``run.json`` without the command and the code's state."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "timings.json":
            data = path.read_bytes()
            if path.name == "run.json":
                record = json.loads(data)
                record["provenance"] = []
                data = json.dumps(record).encode()
            hashes[path.relative_to(folder).as_posix()] = hashlib.sha256(data).hexdigest()
    return hashes


def test_each_run_has_the_bytes_of_a_sweep_over_its_data_alone(sweep: Sweep, data: list[str], tmp_path: Path) -> None:
    folder = sweep()
    assert list(folder.runs) == ["wflw", "300w"]
    assert [run.data for run in folder.record.runs] == data
    assert sorted(path.name for path in folder.path.iterdir()) == ["300w", "sweep.json", "wflw"]
    for name, spec in zip(folder.runs, data, strict=True):
        execute(validate({**SETTINGS, "data": spec}, where="a test"), tmp_path / f"alone-{name}")
        assert content(folder.path / name) == content(tmp_path / f"alone-{name}")
    assert SweepFolder.open(folder.path) == folder


def test_two_sources_of_one_benchmark_have_folders_of_their_own(sweep: Sweep, few_faces: Path, data: list[str]) -> None:
    listing = next(few_faces.rglob("list_98pt_rect_attr_test.txt"))
    folder = sweep(given=[data[0], f"wflw:{listing}"])
    assert [run.folder for run in folder.record.runs] == ["wflw", "wflw-2"]
    assert np.array_equal(folder.runs["wflw"].faces.landmarks, folder.runs["wflw-2"].faces.landmarks)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["wflw", "wflw-2", "wflw"], ["wflw", "wflw-2", "wflw-3"]),
        (["A", "a"], ["a", "a-2"]),
        (["../..", "", ".sweep", "sweep.json"], ["data", "data-2", "sweep", "sweep-json"]),
        (["x" * 300], ["x" * 60]),
    ],
)
def test_names_of_folders_are_safe_and_differ(names: list[str], expected: list[str]) -> None:
    assert sweep_folder.folder_names(names) == expected


@pytest.mark.parametrize(
    ("other", "changes", "message"),
    [
        ("300w:nowhere", {}, "nowhere does not exist"),
        ("300v:nowhere", {}, "did you mean '300w'"),
        ("300w", {}, "does not say where the files are"),
        (None, {"normaliser": "inter-pupils"}, "unknown normaliser"),
        (None, {"boxes": ["rect"]}, "rect"),
    ],
)
def test_a_fault_of_any_data_set_is_found_before_a_network_runs(
    sweep: Sweep,
    data: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    other: str,
    changes: Any,
    message: str,
) -> None:
    monkeypatch.setattr(NetworkSweep, "run", lambda *_: pytest.fail("a network ran"))
    given = [data[0], other or data[1]]
    with pytest.raises(InputError, match=message) as caught:
        sweep(given=given, **changes)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_network_that_fits_one_data_set_alone_is_refused(
    sweep: Sweep, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tmp_path / "small.toml"
    text = small_card.read_text().partition("[reported")[0]
    card.write_text(text.replace('"small.safetensors"', f'"{small_card.parent / "small.safetensors"}"'))
    monkeypatch.setattr(NetworkSweep, "run", lambda *_: pytest.fail("a network ran"))
    with pytest.raises(InputError, match=r"outputs 98 landmarks, but 300w:.* has 68 \(ibug68\)"):
        sweep(models=[str(card)], decoders=[])


def test_an_interrupted_sweep_resumes_with_the_same_bytes(
    sweep: Sweep, small_card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"models": [str(small_card)], "batch_size": 2, "boxes": ["landmarks"]}
    expected = content(sweep("whole", **settings).path)

    def stop(label: str, done: int, total: int) -> None:
        if label.startswith("300w: ") and done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep("stopped", **settings, progress=stop)
    passes: list[str] = []
    original = NetworkSweep._finish_batch

    def counted(self: NetworkSweep, number: int, wait: Any) -> None:
        passes.append(f"{self.plan.dataset.name} {number}")
        original(self, number, wait)

    monkeypatch.setattr(NetworkSweep, "_finish_batch", counted)
    resumed = sweep("stopped", **settings)
    assert content(resumed.path) == expected
    assert passes == ["300w 2"]  # neither the finished run nor finished batches are repeated
    assert not (resumed.path / ".sweep").exists()


def test_a_finished_run_of_an_interrupted_sweep_is_repeated_when_its_inputs_changed(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(label: str, done: int, total: int) -> None:
        if label.startswith("300w: ") and done == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(progress=stop)
    folder = sweep(decoders=["dark"])
    assert [[cell.decoder for cell in run.record.cells] for run in folder.runs.values()] == [["dark"], ["dark"]]


def test_networks_are_built_once(sweep: Sweep, small_card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    original = models.build

    def counted(card: Any, weights: Any = None) -> Any:
        built.append(card.name)
        return original(card, weights=weights)

    monkeypatch.setattr(models, "build", counted)
    sweep(models=[str(small_card), "oracle"], decoders=["dark"], boxes=["landmarks"])
    assert built == ["small", "oracle"]


def test_what_the_output_folder_may_hold(sweep: Sweep, data: list[str], tmp_path: Path) -> None:
    sweep()
    with pytest.raises(InputError, match="already holds a sweep; give another folder with -o, or --overwrite"):
        sweep()
    before = content(tmp_path / "out")
    assert content(sweep(overwrite=True).path) == before
    with pytest.raises(InputError, match="a sweep with the runs wflw, 300w, and this one has no 300w"):
        sweep(
            given=[data[0], f"synthface:{data[0].partition(':')[2]}"],
            overwrite=True,
        )
    assert content(tmp_path / "out") == before
    with pytest.raises(InputError, match="holds other files"):
        execute(validate({**SETTINGS, "data": data[0]}, where="a test"), tmp_path / "out", overwrite=True)
    with pytest.raises(InputError, match="holds a run of one data set"):
        sweep("out/wflw", overwrite=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        sweep("full", overwrite=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        sweep("file")
    (tmp_path / "locked").mkdir()
    with (
        sweep_folder.writing_sweep(tmp_path / "locked", overwrite=False),
        pytest.raises(InputError, match="another nmebench is writing there"),
    ):
        sweep("locked")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"runs": []}, "runs"),
        ({"runs": [{"folder": "../other", "data": "d", "dataset": "d"}]}, "folder"),
        ({"runs": [{"folder": "/etc", "data": "d", "dataset": "d"}]}, "folder"),
        ({"runs": [{"folder": ".", "data": "d", "dataset": "d"}]}, "folder"),
        ({"runs": [{"folder": "a", "data": "d", "dataset": "d"}] * 2}, "names the folder a twice"),
        ({"schema_version": 2, "runs": [{"folder": "a", "data": "d", "dataset": "d"}]}, "schema_version"),
        ("[", "not a json"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, index: Any, message: str) -> None:
    (tmp_path / "sweep.json").write_text(index if isinstance(index, str) else json.dumps(index))
    with pytest.raises(InputError, match=message) as caught:
        SweepFolder.open(tmp_path)
    assert "restore it from a backup" in str(caught.value)


def test_commands_on_one_run_name_the_run_folders(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="holds a sweep over several data sets"):
        Run.open(stored)
    for command in (["tables", "--format", "csv"], ["compare"], ["score"]):
        assert main([*command, str(stored)]) == 2
        assert "give one of the run folders" in capsys.readouterr().err


def test_tables_print_nothing_if_one_run_is_damaged(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(stored, copy)
    (copy / "300w" / "scores.csv").write_text("x")
    assert main(["tables", str(copy)]) == 2
    assert capsys.readouterr().out == ""


def test_tables_and_history_take_all_runs(stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tables", str(stored)]) == 0
    printed = capsys.readouterr().out
    assert re.findall("^### .*", printed, re.MULTILINE) == ["### wflw", "### 300w"]
    assert printed.count("| oracle | dark |") == 2
    options = ["--to", str(tmp_path / "history"), "--commit", "a" * 40, "--time", "1", "--machine", "ci"]
    assert main(["history", "add", str(stored), *options, "--allow-dirty"]) == 0
    assert "4 cells of commit" in capsys.readouterr().out
    (file,) = (tmp_path / "history").glob("*.json")
    assert {run["dataset"] for run in json.loads(file.read_text())["runs"]} == {"wflw", "300w"}


def test_data_of_a_sweep_file_may_be_a_list(data: list[str], tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(f'data = {json.dumps(data)}\nmodels = ["oracle"]\n')
    assert [one.data for one in load(file)] == data
    file.write_text(f'data = {json.dumps(data[:1] * 2)}\nmodels = ["oracle"]\n')
    with pytest.raises(InputError, match="is given twice"):
        load(file)
    file.write_text('data = []\nmodels = ["oracle"]\n')
    with pytest.raises(InputError, match="data"):
        load(file)


@pytest.fixture(scope="module")
def stored(few_faces: Path, faces300w: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over both data sets, shared by the tests that read it."""
    raw = {**SETTINGS, "data": [f"wflw:{few_faces}", f"300w:{faces300w}"], "pictures": False}
    out = tmp_path_factory.mktemp("stored") / "sweep"
    return execute_several(validate_several(raw, where="a test"), out).path


def test_the_command_line_names_the_data_sets(
    data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [option for spec in data for option in ("--data", spec)]
    arguments = [*given, "--model", "oracle", "--decoder", "dark", "--no-pictures", "-q"]
    assert main(["run", *arguments, "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "wflw: 11 of 2500 faces, NME in percent" in printed
    assert "300w: 5 of 689 faces, NME in percent" in printed
    assert printed.rstrip().endswith("2 runs: wflw, 300w")
    assert main(["run", *arguments, "-o", str(tmp_path / "json"), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert [table["runs"][name]["dataset"] for name in ("wflw", "300w")] == ["wflw", "300w"]
    assert {row["dataset"] for row in table["runs"]["300w"]["scores"]} == {"300w"}


def test_check_has_the_exit_code_of_the_worst_run(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(stored)]) == 3
    assert "check of 2 runs: nothing comparable: wflw, 300w" in capsys.readouterr().out
    assert all((stored / name / "verdict.json").exists() for name in ("wflw", "300w"))
    assert main(["check", str(stored), "--json"]) == 3
    assert set(json.loads(capsys.readouterr().out)["runs"]) == {"wflw", "300w"}


def test_gate_compares_each_run_with_its_own_baseline(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baselines = tmp_path / "baselines"
    arguments = ["gate", str(stored), "--baseline", str(baselines)]
    assert main(arguments) == 2
    assert "has no baseline of the run wflw" in capsys.readouterr().err
    assert main([*arguments, "--update"]) == 0
    assert sorted(path.name for path in baselines.iterdir()) == ["300w.json", "wflw.json"]
    files = ["--junit", str(tmp_path / "j.xml"), "--markdown", str(tmp_path / "m.md"), "--report"]
    files.append(str(tmp_path / "r.html"))
    assert main([*arguments, *files]) == 0
    assert "gate of 2 runs: passed: wflw, 300w" in capsys.readouterr().out
    assert (tmp_path / "j.xml").read_text().count("<testsuite ") == 2
    assert (tmp_path / "m.md").read_text().count("### ") == 2
    page = (tmp_path / "r.html").read_text()
    assert all(f'id="{name}.change"' in page for name in ("wflw", "300w"))
    # One run is worse than its baseline: its faces had an NME of zero.
    baseline = json.loads((baselines / "300w.json").read_text())
    cells = list(baseline["cells"].values())
    cells[0]["per_face"] = cells[1]["per_face"]
    (baselines / "300w.json").write_text(json.dumps(baseline))
    assert main([*arguments, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["runs"]["wflw"]["exit_code"] == 0
    (baselines / "cofw.json").write_text(json.dumps(baseline))
    assert main(arguments) == 2
    assert "has a baseline of cofw, which the sweep" in capsys.readouterr().err
    assert main(["gate", str(stored), "--baseline", str(baselines / "wflw.json")]) == 2
    assert "needs a folder with a file per run" in capsys.readouterr().err
    assert main(["gate", str(stored), "--baseline", str(stored / "wflw")]) == 2
    assert "is a run of one data set" in capsys.readouterr().err
    assert main(["gate", str(stored), "--baseline", str(stored)]) == 0  # an earlier sweep is a baseline too
    assert main(["gate", str(stored), "--limit", "nme<=1"]) == 1
