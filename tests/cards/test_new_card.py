"""Cards for ONNX files: complete where the file decides, marked where it doesn't, and ready to run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto

from nmebench import models
from nmebench.models import card

Command = Callable[..., Any]

K = 98


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 0.9, shape)


FILES: dict[str, tuple[dict[str, np.ndarray], dict[str, Any], list[str]]] = {
    "heatmaps": ({"output": _random(1, K, 4, 4)}, {"kind": "heatmaps"}, ["heatmaps"]),
    "98 and a boundary": ({"output": _random(1, 99, 4, 4)}, {"channels": "0:98"}, ["heatmaps"]),
    "stacks": ({"a": _random(1, K, 4, 4), "b": _random(1, K, 4, 4)}, {"stack": -1}, ["heatmaps"]),
    "five dimensions": ({"output": _random(1, 4, K, 4, 4)}, {"stack": -1}, ["heatmaps"]),
    "two maps each": ({"output": _random(1, 2 * K, 4, 4)}, {"activation": "softmax-pairs"}, ["heatmaps"]),
    "UDP": ({"output": _random(1, 3 * K, 4, 4)}, {"offsets": "interleaved"}, ["heatmaps", "offsets"]),
    "maps and offsets": (
        {"o": _random(1, 2 * K, 4, 4), "h": _random(1, K, 4, 4)},
        {"offsets": "separate", "names": ("h", "o")},
        ["heatmaps", "offsets"],
    ),
    "maps and features": (
        {"f": _random(1, 32, 4, 4), "h": _random(1, K, 4, 4)},
        {"names": ("h",)},
        ["heatmaps"],
    ),
    "maps last": ({"output": _random(1, 4, 4, K)}, {"layout": "nhwc"}, ["heatmaps"]),
    "fractions": ({"output": _random(1, 2 * K)}, {"kind": "landmarks", "unit": "crop-fraction"}, ["landmarks"]),
    "-1 to 1": ({"output": 2 * _random(1, K, 2) - 1}, {"kind": "landmarks", "unit": "crop-centred"}, ["landmarks"]),
    "px": ({"output": 16 * _random(1, 2, K)}, {"kind": "landmarks", "unit": "input-px"}, ["landmarks"]),
    "third value": ({"output": _random(1, K, 3)}, {"kind": "landmarks", "layout": "xyz"}, ["landmarks"]),
    "third value, flat": ({"output": _random(1, 3 * 29)}, {"kind": "landmarks", "layout": "xyz"}, ["landmarks"]),
    "99 landmarks": ({"output": _random(1, 99, 2)}, {"kind": "landmarks", "channels": "0:98"}, ["landmarks"]),
    "landmarks and pose": (
        {"pose": _random(1, 3), "output": _random(1, 2 * K)},
        {"kind": "landmarks", "names": ("output",)},
        ["landmarks"],
    ),
    "SimCC": (
        {"simcc_x": _random(1, K, 32), "simcc_y": _random(1, K, 32)},
        {"kind": "simcc", "split": 2.0, "names": ()},
        ["simcc_x", "simcc_y"],
    ),
    "SimCC, other names": (
        {"x": _random(1, K, 48), "y": _random(1, K, 48)},
        {"kind": "simcc", "split": 3.0, "names": ("x", "y")},
        ["simcc_x", "simcc_y"],
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_outputs(nmebench: Command, write: Command, tmp_path: Path, case: str) -> None:
    arrays, expected, outputs = FILES[case]
    found = nmebench("card", "new", write(arrays), "-o", tmp_path / "x.toml")
    assert found.code == 0, found.err
    made = card.load(tmp_path / "x.toml")
    assert {name: getattr(made.output, name) for name in expected} == expected
    built = models.build(made)
    assert list(built.module(torch.rand(2, 3, 16, 16))) == outputs
    assert made.weights == "net.onnx"
    assert made.input.size == (16, 16)


def test_the_card_runs(nmebench: Command, write: Command, plain_faces: Path, tmp_path: Path) -> None:
    for case in ("SimCC, other names", "UDP", "fractions"):
        name = f"{case.partition(',')[0]}.toml".replace(" ", "-")
        nmebench("card", "new", write(FILES[case][0]), "-o", tmp_path / name)
        arguments = ["--data", f"wflw:{plain_faces}", "--model", tmp_path / name, "--no-pictures", "--limit", 2]
        found = nmebench("run", *arguments, "-o", tmp_path / case)
        assert found.code == 0, found.err


@pytest.mark.parametrize(
    ("shape", "size", "layout"),
    [
        pytest.param((1, 3, 48, 64), (64, 48), None, id="NCHW"),
        pytest.param((1, 48, 64, 3), (64, 48), "nhwc", id="NHWC"),
        pytest.param(("n", 3, "h", "w"), (256, 256), None, id="open size"),
        pytest.param(("n", "a", "b", "c"), (256, 256), "nchw", id="open layout"),
    ],
)
def test_inputs(
    nmebench: Command,
    write: Command,
    tmp_path: Path,
    shape: tuple[int | str, ...],
    size: tuple[int, int],
    layout: str | None,
) -> None:
    # Where the layout is open, a convolution shows which one runs.
    path = write(
        {"output": _random(2, K, 4, 4) if "n" in shape else _random(1, K, 4, 4)}, shape=shape, used="a" in shape
    )
    found = nmebench("card", "new", path, "-o", tmp_path / "x.toml")
    assert found.code == 0, found.err
    made = card.load(tmp_path / "x.toml")
    assert (made.input.size, made.input.layout) == (size, layout)


def test_uint8(nmebench: Command, write: Command, tmp_path: Path) -> None:
    path = write({"output": _random(1, K, 4, 4)}, dtype=TensorProto.UINT8)
    found = nmebench("card", "new", path, "-o", tmp_path / "x.toml")
    assert found.code == 0, found.err
    made = card.load(tmp_path / "x.toml")
    assert (made.input.mean, made.input.std) == ((0, 0, 0), (1, 1, 1))
    assert "mean" not in found.out
    models.build(made)


def test_open_questions_are_marked_and_listed(nmebench: Command, write: Command, tmp_path: Path) -> None:
    found = nmebench("card", "new", write({"output": _random(1, 2 * K)}), "-o", tmp_path / "x.toml")
    text = (tmp_path / "x.toml").read_text()
    marked = [
        line.partition("  #")[0].strip() for line in text.splitlines() if "(?)" in line and not line.startswith("#")
    ]
    assert [line.partition(" ")[0] for line in marked] == ["box", "colour", "mean", "std", "layout", "unit"]
    assert all(line in found.out for line in marked)
    assert "nmebench card probe" in found.out


def test_weights_elsewhere_are_named_with_their_folder(nmebench: Command, write: Command, tmp_path: Path) -> None:
    path = write({"output": _random(1, 2 * K)}, name="net with spaces (1).onnx")
    (tmp_path / "cards").mkdir()
    assert nmebench("card", "new", path, "-o", tmp_path / "cards/x.toml").code == 0
    made = card.load(tmp_path / "cards/x.toml")
    assert (made.weights, made.name) == (str(path), "net-with-spaces-1")
    models.build(made)


def test_an_existing_card_is_not_replaced(nmebench: Command, write: Command, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("mine")
    found = nmebench("card", "new", write({"output": _random(1, 2 * K)}), "-o", tmp_path / "x.toml")
    assert (found.code, (tmp_path / "x.toml").read_text()) == (2, "mine")
    assert "x.toml exists, and a card is never replaced" in found.err


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"<html>", "no ONNX network"), (None, "No such file")],
)
def test_other_files(nmebench: Command, tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "net.onnx").write_bytes(content)
    found = nmebench("card", "new", tmp_path / "net.onnx", "-o", tmp_path / "x.toml")
    assert found.code == 2
    assert message in found.err
    assert len(found.err.splitlines()) == 1
    assert not (tmp_path / "x.toml").exists()


def test_a_network_of_other_outputs(nmebench: Command, write: Command, tmp_path: Path) -> None:
    path = write({"classes": _random(1, 7), "score": _random(1, 1)})
    found = nmebench("card", "new", path, "-o", tmp_path / "x.toml")
    assert found.code == 2
    assert "gives classes [2, 7], score [2, 1], neither landmarks" in found.err


@pytest.mark.parametrize("name", ["a b", "ü" * 101, ""])
def test_a_name_that_no_card_can_have(nmebench: Command, write: Command, tmp_path: Path, name: str) -> None:
    path = write({"output": _random(1, 2 * K)})
    found = nmebench("card", "new", path, "-o", tmp_path / "x.toml", "--name", name)
    assert (found.code == 2) == bool(name)
    assert (tmp_path / "x.toml").exists() == (not name)
