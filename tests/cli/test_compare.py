"""``nmebench compare``: runs, cells, predictions, all pairs, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench.runs.run_store import Run

Call = Callable[..., Any]
DARK = ("net", "dark", "none", "landmarks")
ARGMAX = ("net", "argmax", "none", "landmarks")


@pytest.fixture
def nme() -> np.ndarray:
    return 4 + np.random.default_rng(0).normal(0, 0.2, 60)


def test_cells_of_one_run_and_all_pairs(nmebench: Call, make_run: Callable[..., Run], nme: np.ndarray) -> None:
    run = make_run({DARK: nme, ARGMAX: nme + 1}, name="run").path
    result = nmebench("compare", f"{run}:dark", f"{run}:argmax")
    assert (result.code, "1 comparison on 60 common faces of wflw: 1 worse" in result.out) == (0, True)
    result = nmebench("compare", run, "--all-pairs")
    assert (result.code, "rank 1: net__dark__none__landmarks" in result.out) == (0, True)


def test_json(nmebench: Call, make_run: Callable[..., Run], nme: np.ndarray) -> None:
    run = make_run({DARK: nme, ARGMAX: nme + 1}, name="run").path
    result = nmebench("compare", run, "--all-pairs", "--json")
    data = json.loads(result.out)
    assert (data["kind"], data["faces"], len(data["pairs"])) == ("nmebench comparison", 60, 1)
    assert [cell["rank"] for cell in data["ranking"]] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["RUN"], "compare all pairs of its cells (--all-pairs", id="one run"),
        pytest.param(["RUN:dark"], "only one cell given", id="one cell"),
        pytest.param(["RUN:none", "RUN:dark"], "2 cells fit", id="ambiguous"),
        pytest.param(["RUN:dark", "RUN:dark"], "given twice", id="twice"),
        pytest.param(["RUN:drak", "RUN:dark"], "no such cell", id="unknown"),
        pytest.param(["RUN", "nowhere"], "no run here", id="missing"),
    ],
)
def test_refused(
    nmebench: Call, make_run: Callable[..., Run], nme: np.ndarray, arguments: list[str], expected: str
) -> None:
    run = make_run({DARK: nme, ARGMAX: nme}, name="run").path
    result = nmebench("compare", *(argument.replace("RUN", str(run)) for argument in arguments))
    assert (result.code, expected in result.error_line) == (2, True), result.error_line


def test_nothing_comparable(nmebench: Call, make_run: Callable[..., Run], nme: np.ndarray) -> None:
    a = make_run({DARK: nme, ARGMAX: nme}, name="a").path
    b = make_run({("x", *DARK[1:]): nme, ("y", *DARK[1:]): nme}, name="b").path
    result = nmebench("compare", a, b)
    assert (result.code, "name the cells with" in result.out) == (3, True)


def _onnx(path: Path, size: int) -> None:
    """A card and an ONNX network that gives 98 landmarks for a crop of ``size`` px."""
    onnx = pytest.importorskip("onnx")
    helper, tensor = onnx.helper, onnx.TensorProto
    factor = onnx.numpy_helper.from_array(np.full((1, 196), 0.1 + size / 1000, np.float32), "factor")
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["column"]),
        helper.make_node("Mul", ["column", "factor"], ["scaled"]),
        helper.make_node("Sigmoid", ["scaled"], ["landmarks"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", tensor.FLOAT, ["n", 3, size, size])],
        [helper.make_tensor_value_info("landmarks", tensor.FLOAT, ["n", 196])],
        [factor, onnx.numpy_helper.from_array(np.array([1]), "axis")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path.with_suffix(".onnx"))
    path.write_text(
        f'name = "net-{size}"\narchitecture = "onnx"\nweights = "{path.with_suffix(".onnx").name}"\n'
        f'[input]\nsize = [{size}, {size}]\n[output]\nkind = "landmarks"\nunit = "crop-fraction"\n'
    )


def test_two_onnx_networks_of_different_input_sizes(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    """They are in two runs, and in one run; the input size is named beside the result."""
    for size in (64, 112):
        _onnx(tmp_path / f"{size}.toml", size)
        options = ["--data", f"wflw:{wflw}", "--model", tmp_path / f"{size}.toml", "--no-pictures"]
        result = nmebench("run", *options, "-o", tmp_path / f"run{size}")
        assert result.code == 0, result.err
    result = nmebench("compare", tmp_path / "run64", tmp_path / "run112")
    assert result.code == 0, result.err
    assert "net-64 / net-112, direct, none, landmarks" in result.out
    assert "input size 112 x 112 instead of 64 x 64" in result.out
    assert "1 comparison on 4 common faces of wflw" in result.out


def test_predictions_and_a_cell(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    """A csv in another order, with names and numbers of faces, against a cell of a run with another box."""
    options = ["--data", f"wflw:{wflw}", "--model", "oracle", "--decoder", "argmax", "--decoder", "dark"]
    assert nmebench("run", *options, "--no-pictures", "-o", tmp_path / "run").code == 0
    run = Run.open(tmp_path / "run")
    truth = run.faces.landmarks
    rows = [
        ",".join([str(face), run.faces.image[face], *map(repr, (truth[face] + 1).ravel().tolist())])
        for face in (2, 0, 3, 1)
    ]
    header = ",".join(["face", "image", *(f"{axis}{k}" for k in range(98) for axis in "xy")])
    (tmp_path / "mine.csv").write_text("\n".join([header, *rows]) + "\n")
    declared = ["--decoder", "direct", "--no-flip", "--box", "pfld", "--input-size", "112"]
    result = nmebench(
        "score", tmp_path / "mine.csv", "--data", f"wflw:{wflw}", "--name", "mine", *declared, "-o", tmp_path / "mine"
    )
    assert result.code == 0, result.err
    result = nmebench("compare", f"{tmp_path}/run:dark", tmp_path / "mine")
    assert result.code == 0, result.err
    for change in (
        "decoder direct instead of dark",
        "box pfld instead of landmarks",
        "input size 112 x 112 instead of",
    ):
        assert change in result.out
    expected = (100 * np.sqrt(2) / run.faces.normaliser).mean()
    assert f"mine:mine__direct__none__pfld: NME {expected:.4f} %" in result.out
