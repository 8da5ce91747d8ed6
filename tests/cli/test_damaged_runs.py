"""A damaged file of a run gives one line and exit code 2, or no change at all: never a traceback or another verdict."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench.gates import make_baseline
from nmebench.runs.run_store import Run
from nmebench.runs.thumbnail import Thumbnail

Call = Callable[..., Any]
CELL = ("net", "dark", "flip+shift", "landmarks")
CARD = {
    "name": "net",
    "input": {"box": "landmarks", "size": [256, 256], "colour": "rgb"},
    "output": {"kind": "heatmaps"},
    "test": {"decoder": "dark", "flip": True, "shift": True},
    "reported": {"wflw": {"paper": {"nme": {"test": 4.0}, "source": "a test", "tolerance": 0.01}}},
}
FILES = (
    "run.json", "faces.parquet", "per_face.parquet", "scores.csv", "thumbnails.parquet", "timings.json", "verdict.json",
    "landmarks/CELL.npy", "confidence/CELL.npy",
)  # fmt: skip
COMMANDS = ("check", "gate", "compare", "report", "score")


def delete(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def garbage(file: Path) -> None:
    file.write_bytes(np.random.default_rng(0).bytes(file.stat().st_size))


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def endless(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def nested(file: Path) -> None:
    file.write_text('{"schema_version": 1, "rows": ' + "[" * 100_000)


def digits(file: Path) -> None:
    file.write_text('{"schema_version": ' + "9" * 5000 + "}")


DAMAGES = (
    delete, cut,
    *(pytest.param(d, marks=pytest.mark.slow) for d in (empty, garbage, folder, pipe, endless, nested, digits)),
)  # fmt: skip


@pytest.fixture
def complete(make_run: Callable[..., Run]) -> Run:
    """A run with every file that a run can have."""
    made = make_run({CELL: 4.0}, cards={"net": CARD}, kind="score")
    thumbnails = [Thumbnail(b"\xff\xd8", (64, 64), np.eye(2, 3))] * len(made.faces)
    Run.create(made.path, made.record, made.faces, thumbnails=thumbnails, timings={"total": 1.0})
    made.write_json("verdict.json", {"rows": []})
    return Run.open(made.path)


@pytest.fixture
def commands(complete: Run, nmebench: Call, tmp_path: Path) -> Callable[[str], Any]:
    """A function that runs a command on the run; its other inputs are undamaged copies."""
    other = tmp_path / "other"
    shutil.copytree(complete.path, other)
    baseline = tmp_path / "baseline.json"
    make_baseline(complete).write(baseline)
    arguments = {
        "check": ["check", complete.path, "--no-explain"],
        "gate": ["gate", complete.path, "--baseline", baseline],
        "compare": ["compare", other, complete.path],
        "report": ["report", complete.path, "-o", tmp_path / "report.html"],
        "score": ["score", complete.path],
    }
    return lambda command: nmebench(*arguments[command])


def assert_one_line(result: Any) -> None:
    """The command did its work as ever, or refused in one line."""
    assert "Traceback" not in result.err + result.out
    assert result.code in (0, 2), (result.code, result.err)
    if result.code == 2:
        assert len(result.error_line) < 1000


def test_undamaged_run(commands: Callable[[str], Any]) -> None:
    assert {command: commands(command).code for command in COMMANDS} == dict.fromkeys(COMMANDS, 0)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_damaged_file(complete: Run, commands: Callable[[str], Any], name: str, damage: Callable[[Path], None]) -> None:
    damage(complete.path / name.replace("CELL", complete.record.cells[0].id))
    for command in COMMANDS:
        result = commands(command)
        assert_one_line(result)
        if name == "run.json":
            assert result.code == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["faces.parquet", "per_face.parquet", "scores.csv", "landmarks/CELL.npy", "run.json"])
def test_flipped_bytes(complete: Run, commands: Callable[[str], Any], name: str) -> None:
    """One wrong byte at twelve places: it is found, or it leaves a readable file."""
    file = complete.path / name.replace("CELL", complete.record.cells[0].id)
    whole = file.read_bytes()
    for number in range(12):
        changed = bytearray(whole)
        changed[len(whole) * number // 12] ^= 0x55
        file.write_bytes(bytes(changed))
        for command in ("check", "gate", "compare", "report"):
            result = commands(command)
            assert "Traceback" not in result.err + result.out
            assert result.code in (0, 1, 2, 3), result.err


def without(field: str) -> Callable[[dict[str, Any]], Any]:
    return lambda record: record.pop(field)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda r: r["cells"].append(r["cells"][0]), id="cell-twice"),
        pytest.param(lambda r: r["models"].append(r["models"][0]), id="model-twice"),
        pytest.param(lambda r: r["cells"][0].update(id="../../../etc/passwd"), id="cell-outside"),
        pytest.param(lambda r: r["cells"][0].update(model="other"), id="unknown-model"),
        pytest.param(lambda r: r["dataset"].update(faces=61), id="other-number-of-faces"),
        pytest.param(lambda r: r["dataset"].update(faces=-1), id="negative-faces"),
        pytest.param(lambda r: r["dataset"].update(faces=10**30), id="countless-faces"),
        pytest.param(lambda r: r["models"][0]["card"].update(reported=[1]), id="reported"),
        pytest.param(lambda r: r["models"][0]["card"].update(input=3, test="x", output=[]), id="card"),
        pytest.param(lambda r: r["models"][0].update(input_size=[0, -1]), id="input-size"),
        pytest.param(without("cells"), id="no-cells"),
        pytest.param(without("provenance"), id="no-provenance"),
        pytest.param(lambda r: r.update(configuration={"options": 3, "box_padding": "x"}), id="configuration"),
        pytest.param(lambda r: r["dataset"].update(scheme="other"), id="scheme"),
        pytest.param(lambda r: r["dataset"].update(counts={}, expected={"test": -5}), id="counts"),
    ],
)
def test_edited_record(complete: Run, commands: Callable[[str], Any], change: Callable[[dict[str, Any]], Any]) -> None:
    file = complete.path / "run.json"
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))
    for command in COMMANDS:
        result = commands(command)
        assert "Traceback" not in result.err + result.out
        assert result.code in (0, 2, 3), (command, result.err)
