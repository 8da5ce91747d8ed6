"""``--scheme`` and ``python:`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nmebench.__main__ import main

SCHEME = """
name = "two2"
points = 2
default_normaliser = "width"
flip = { pairs = [[0, 1]] }
groups = { eyes = [0, 1] }
normalisers.width = { kind = "distance", first = [0], second = [1], source = "ours" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scheme of two points, faces of it in an npz, predictions that are 2 px off, and a reader."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.toml").write_text(SCHEME)
    truth = np.array([[[10.0, 20], [60, 20]], [[30.0, 20], [70, 50]]])
    np.savez(tmp_path / "truth.npz", landmarks=truth)
    np.savez(tmp_path / "mine.npz", landmarks=truth + np.array([2, 0]))
    (tmp_path / "reader.py").write_text(
        "def load():\n    return [{'image': 'a', 'landmarks': [[10, 20], [60, 20]]}, 1 / 0]\n"
    )
    return tmp_path


def test_predictions_of_an_own_scheme_are_scored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["score", "mine.npz", "--data", "landmarks:truth.npz", "-o", "run", "--json"]
    assert main([*arguments, "--scheme", "two.toml"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"][0]["nme"] == pytest.approx(4.0)
    record = json.loads((folder / "run" / "run.json").read_text())
    assert record["dataset"]["scheme"] == "two2"
    assert "two.toml" in [file["name"] for file in record["dataset"]["files"]]


def test_oracle_is_measured_on_an_own_scheme(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "--data", "landmarks:truth.npz", "--scheme", "two.toml", "--model", "oracle"]
    assert main([*arguments, "--decoder", "dark", "--no-pictures", "-o", "run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"][0]["nme"] < 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "landmarks:truth.npz"], "give the scheme of your own with --scheme FILE.toml"),
        (["--data", "landmarks:truth.npz", "--scheme", "tow.toml"], "tow.toml is missing"),
        (["--data", "landmarks:truth.npz", "--scheme", "cofw92"], "unknown scheme 'cofw92'; did you mean 'cofw29'?"),
        (["--data", "landmarks:truth.npz", "--scheme", "cofw29"], "2 points per face, but the scheme cofw29 has 29"),
        (["--data", "python:reader.py:load", "--scheme", "two.toml"], "division by zero (reader.py:2)"),
    ],
)  # fmt: skip
def test_a_wrong_scheme_or_reader_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["score", "mine.npz", *arguments, "-o", "run"]) == 2
    error = capsys.readouterr().err
    assert message in error.replace("\n", " ")
    assert "Traceback" not in error
    assert not (folder / "run").exists()


def test_schemes_are_listed_and_tested_by_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "normalisers", "--scheme", "two.toml", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["normalisers"]
    assert (row["scheme"], row["normaliser"], row["default"]) == ("two2", "width", "yes")
    assert main(["contract", "scheme", "two.toml"]) == 0
    assert "5 of 5 requirements passed" in capsys.readouterr().out
    assert main(["contract", "dataset", "landmarks:truth.npz", "--scheme", "two.toml"]) == 0
    assert main(["contract", "box", "landmarks", "--data", "landmarks:truth.npz", "--scheme", "two.toml"]) == 0


def test_faces_are_converted_with_an_own_scheme(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "data",
        "convert",
        "landmarks:truth.npz",
        "--scheme",
        "two.toml",
        "-o",
        "out",
        "--name",
        "mine",
        "--npz",
    ]
    assert main(arguments) == 0
    capsys.readouterr()
    for place in ("out/mine.toml", "out/mine.toml::out/mine.npz"):
        arguments = ["score", "mine.npz", "--data", f"benchmark:{place}", "-o", "run", "--json", "--overwrite"]
        assert main(arguments) == 0
        assert json.loads(capsys.readouterr().out)["scores"][0]["nme"] == pytest.approx(4.0)
