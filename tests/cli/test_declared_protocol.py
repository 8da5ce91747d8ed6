"""``nmebench score --like``: predictions with a declared protocol, and their check."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench.runs.run_store import Run
from nmebench.scoring.declare_protocol import declare, input_size

Call = Callable[..., Any]

CARD = """
name = "net"
architecture = "hrnetv2-w18"
[input]
size = [128, 128]
box = "pfld"
[output]
grid = "udp"
[test]
decoder = "dark"
flip = true
[reported.copy.paper]
nme = { test = 2.00 }
tolerance = 0.01
source = "here"
"""


@pytest.fixture
def score(nmebench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Score predictions with an NME of 2.0 % on a dataset of 6 faces that is complete."""
    truth = np.random.default_rng(0).uniform(0, 100, (6, 98, 2))
    normaliser = np.linalg.norm(truth[:, 60] - truth[:, 72], axis=1)
    np.savez(tmp_path / "truth.npz", landmarks=truth)
    np.savez(tmp_path / "mine.npz", landmarks=truth + (0.02 * normaliser)[:, None, None] * np.array([0.6, 0.8]))
    (tmp_path / "card.toml").write_text(CARD)
    from nmebench import datasets

    load = datasets.load
    monkeypatch.setattr(datasets, "load", lambda *a, **k: _complete(load(*a, **k)))

    def call(*options: object) -> Any:
        data = ["--data", f"landmarks:{tmp_path}/truth.npz", "--name", "mine", "-o", tmp_path / "run", "--overwrite"]
        return nmebench("score", tmp_path / "mine.npz", *data, *options)

    return call


def _complete(dataset: Any) -> Any:
    from dataclasses import replace

    return replace(dataset, name="copy", expected={"test": len(dataset.images)})


def test_declared_protocol_is_judged(nmebench: Call, score: Call, tmp_path: Path) -> None:
    result = score("--like", tmp_path / "card.toml")
    assert result.code == 0, result.err
    assert "are declared (like the card net), not measured" in result.err
    run = Run.open(tmp_path / "run")
    assert run.record.cells[0].id == "mine__dark__flip__pfld"
    assert (run.record.cells[0].convention, run.record.models[0].input_size) == ("udp", (128, 128))
    result = nmebench("check", tmp_path / "run")
    assert result.code == 0, result.out
    assert "the protocol was declared, not measured" in result.out


def test_check_of_undeclared_predictions_compares_nothing(nmebench: Call, score: Call, tmp_path: Path) -> None:
    assert score().code == 0
    result = nmebench("check", tmp_path / "run")
    assert (result.code, "no reported numbers are known" in result.out) == (3, True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(["--box", "landmarks"], "declared with box landmarks, reported with box pfld", id="box"),
        pytest.param(["--no-flip"], "declared with flip none, reported with flip flip", id="flip"),
        pytest.param(["--box-padding", "1.3"], "declared with box padding 1.3, reported with box", id="padding"),
        pytest.param(["--input-size", "64"], "declared with input size 64 x 64, reported with input", id="size"),
        pytest.param(["--decoder", "argmax"], "no cell with decoder dark", id="decoder"),
    ],
)
def test_other_declaration_than_the_table_is_not_comparable(
    nmebench: Call, score: Call, tmp_path: Path, options: list[str], expected: str
) -> None:
    assert score("--like", tmp_path / "card.toml", *options).code == 0
    result = nmebench("check", tmp_path / "run")
    assert (result.code, expected in result.out) == (3, True), result.out


def test_scores_name_a_declared_setting(score: Call, tmp_path: Path) -> None:
    result = score("--like", tmp_path / "card.toml", "--box-padding", "1.3")
    assert "declared with box padding 1.3 instead of 1.2" in result.out


def test_deviation_is_explained_without_a_network(nmebench: Call, score: Call, tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_text(CARD.replace("2.00", "2.10"))
    assert score("--like", tmp_path / "card.toml").code == 0
    result = nmebench("check", tmp_path / "run")
    assert (result.code, "0.100 points below the reported value" in result.out) == (1, True), result.out
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(["--decoder", "dark"], "has no --flip, --no-flip or --test-time", id="incomplete"),
        pytest.param(["--decoder", "drak", "--no-flip", "--box", "pfld"], "unknown decoder 'drak'", id="decoder"),
        pytest.param(["--decoder", "dark", "--no-flip", "--box", "pfdl"], "did you mean 'pfld'", id="box"),
        pytest.param(["--test-time", "flop"], "unknown flip test 'flop'", id="flip"),
        pytest.param(["--test-time", "flip", "--flip"], "set the same option twice", id="flip-twice"),
        pytest.param(["--like", "no-card"], "no-card", id="card"),
        pytest.param(["--like", "CARD", "--input-size", "0x5"], "input size '0x5'", id="size"),
        pytest.param(["--like", "CARD", "--box-padding", "0"], "padding", id="padding"),
    ],
)
def test_refused(score: Call, tmp_path: Path, options: list[str], expected: str) -> None:
    result = score(*(str(tmp_path / "card.toml") if option == "CARD" else option for option in options))
    assert (result.code, expected in result.error_line) == (2, True), result.error_line
    assert not (tmp_path / "run/run.json").exists()


def test_stored_run_takes_no_declaration(nmebench: Call, score: Call, tmp_path: Path) -> None:
    assert score().code == 0
    result = nmebench("score", tmp_path / "run", "--no-flip")
    assert (result.code, "whose protocol is stored" in result.error_line) == (2, True)


def test_json(nmebench: Call, score: Call, tmp_path: Path) -> None:
    for result in (score("--like", tmp_path / "card.toml", "--json"), nmebench("score", tmp_path / "run", "--json")):
        data = json.loads(result.out)
        assert (data["kind"], data["declared"]["decoder"], data["scores"][0]["subset"]) == (
            "nmebench scores",
            "dark",
            "test",
        )
        assert data["scores"][0]["nme"] == pytest.approx(2.0, abs=1e-5)


def test_canonical_values() -> None:
    found = declare(decoder="dark:kernel=11", flip="none", box="pfld", input_size=input_size("192X256"))
    assert found is not None
    assert (found.decoder, found.input_size, found.card) == ("dark", (192, 256), {})
    assert declare() is None
