"""A Loop of an ONNX file must end soon: its number of passes is a constant, also in subgraphs and through functions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from nmebench import models
from nmebench.models.onnx_file import MAX_PASSES, read_onnx

COUNT = numpy_helper.from_array(np.int64(3), "count")


def _loop(
    count: str,
    body_nodes: Sequence[onnx.NodeProto] = (),
    *,
    start: str = "image",
    prefix: str = "",
    output: str = "maps",
    carried: str = "x",
) -> onnx.NodeProto:
    """A Loop that adds one to its carried value in each pass; ``prefix`` makes its other names unique."""
    body = helper.make_graph(
        [
            *body_nodes,
            helper.make_node("Identity", [f"{prefix}condition"], [f"{prefix}again"]),
            helper.make_node("Add", [carried, "one"], [f"{prefix}next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info(f"{prefix}pass", TensorProto.INT64, []),
            helper.make_tensor_value_info(f"{prefix}condition", TensorProto.BOOL, []),
            helper.make_tensor_value_info(carried, TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info(f"{prefix}again", TensorProto.BOOL, []),
            helper.make_tensor_value_info(f"{prefix}next", TensorProto.FLOAT, None),
        ],
    )
    return helper.make_node("Loop", [count, "yes", start], [output], body=body)


def _write(path: Path, nodes: Sequence[onnx.NodeProto], *initializers: onnx.TensorProto) -> Path:
    shape = ["n", 3, 8, 8]
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, shape)],
        [*initializers, numpy_helper.from_array(np.array(True), "yes"), numpy_helper.from_array(np.float32(1), "one")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def _constant(value: int) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["count"], value=helper.make_tensor("v", TensorProto.INT64, [], [value]))


@pytest.mark.parametrize("nodes", [[_loop("count")], [_constant(3), _loop("count")]], ids=["initializer", "constant"])
def test_constant_number_of_passes_runs(tmp_path: Path, nodes: list[onnx.NodeProto]) -> None:
    initializers = [COUNT] if len(nodes) == 1 else []
    network = models.create("onnx", _write(tmp_path / "x.onnx", nodes, *initializers))
    assert torch.equal(network(torch.zeros(1, 3, 8, 8))["heatmaps"], torch.full((1, 3, 8, 8), 3.0))


def _nested(passes: int) -> list[onnx.NodeProto]:
    inner = _loop("count", start="x", prefix="inner_", output="y", carried="z")
    return [_constant(passes), _loop("count", [inner])]


def _hidden() -> list[onnx.NodeProto]:
    inner = _loop("count", start="x", prefix="inner_", output="y", carried="z")
    return [_constant(3), _loop("count", [helper.make_node("Size", ["x"], ["count"]), inner])]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        pytest.param([_loop("")], "whose number of passes is no constant", id="without a number"),
        pytest.param([helper.make_node("Size", ["image"], ["count"]), _loop("count")], "is no constant", id="computed"),
        pytest.param([_constant(2**63 - 1), _loop("count")], "of 9,223,372,036,854,775,807 passes", id="endless"),
        pytest.param([_constant(MAX_PASSES + 1), _loop("count")], "of 10,001 passes", id="too many"),
        pytest.param(_nested(101), "of 10,201 passes", id="nested"),
        pytest.param(_hidden(), "is no constant", id="name hidden in the subgraph"),
    ],
)
def test_other_loops_are_refused(tmp_path: Path, nodes: list[onnx.NodeProto], message: str) -> None:
    path = _write(tmp_path / "x.onnx", nodes)
    with pytest.raises(models.CheckpointError, match=f"has a Loop .*{message}.*; export the network without loops"):
        models.create("onnx", path)


def test_nested_loops_of_few_passes_are_read(tmp_path: Path) -> None:
    """100 x 100 passes are the most that is allowed."""
    found = onnx.load_from_string(read_onnx(_write(tmp_path / "x.onnx", _nested(100))))
    outer = found.graph.node[-1]
    inner = next(node for node in outer.attribute[0].g.node if node.op_type == "Loop")
    assert (outer.op_type, list(outer.input), list(inner.input)) == (
        "Loop",
        ["count", "yes", "image"],
        ["count", "yes", "x"],
    )
    assert numpy_helper.to_array(found.graph.node[0].attribute[0].t) == 100


def test_loop_in_a_function_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.onnx", [helper.make_node("F", ["image"], ["maps"], domain="own")])
    model = onnx.load(path)
    body = [_constant(3), _loop("count", start="a", output="c")]
    model.functions.append(helper.make_function("own", "F", ["a"], ["c"], body, [helper.make_opsetid("", 13)]))
    onnx.save(model, path)
    with pytest.raises(models.CheckpointError, match="has a Loop in a function"):
        models.create("onnx", path)
