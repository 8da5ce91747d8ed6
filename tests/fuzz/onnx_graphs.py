"""ONNX graphs that seed the fuzzer, ordinary and hostile ones, and mutations of their messages."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mutations import INTEGERS, TEXTS, mutate_bytes  # isort: skip

__all__ = ["mutate_onnx", "onnx_seeds"]

SIZE = 8


def _model(
    nodes: Sequence[Any], initializers: Sequence[Any] = (), output: Sequence[Any] = ("n", 2, SIZE, SIZE), **more: Any
) -> bytes:
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, list(output))],
        list(initializers),
    )
    more.setdefault("opset_imports", [helper.make_opsetid("", 13), helper.make_opsetid("vendor", 1)])
    return bytes(helper.make_model(graph, ir_version=8, **more).SerializeToString())


def _tensor(values: Any, name: str) -> Any:
    return numpy_helper.from_array(np.asarray(values), name)


def _loop(count: str, body_nodes: Sequence[Any], keep: Any) -> Any:
    """A Loop that carries the maps; ``keep`` is the constant condition of its body."""
    body = helper.make_graph(
        [
            helper.make_node("Constant", [], ["again"], value=helper.make_tensor("k", TensorProto.BOOL, [], [keep])),
            *body_nodes,
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        ],
    )
    return helper.make_node("Loop", [count, "yes", "start"], ["maps"], body=body)


def onnx_seeds() -> dict[str, bytes]:
    """Return graphs by name."""
    weight = _tensor(np.full((2, 3, 3, 3), 0.1, np.float32), "w")
    conv = helper.make_node("Conv", ["image", "w"], ["start"], pads=[1, 1, 1, 1])
    relu = helper.make_node("Relu", ["start"], ["maps"])
    same = helper.make_node("Relu", ["x"], ["y"])
    yes = _tensor(np.array(True), "yes")
    seeds = {"plain": _model([conv, relu], [weight])}
    for name, count in (("loop-3", 3), ("loop-endless", 2**63 - 1)):
        seeds[name] = _model([conv, _loop("m", [same], True)], [weight, yes, _tensor(np.int64(count), "m")])
    seeds["loop-without-count"] = _model([conv, _loop("", [same], True)], [weight, yes])
    inner = _loop("m", [same], True)
    inner.input[2], inner.output[0] = "x", "y"
    seeds["loop-in-loop"] = _model([conv, _loop("m", [inner], True)], [weight, yes, _tensor(np.int64(100_000), "m")])
    branches = [
        helper.make_graph(
            [helper.make_node(op, ["start"], ["o"])],
            op,
            [],
            [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)],
        )
        for op in ("Relu", "Neg")
    ]
    seeds["if"] = _model(
        [conv, helper.make_node("If", ["yes"], ["maps"], then_branch=branches[0], else_branch=branches[1])],
        [weight, yes],
    )
    seeds["custom"] = _model([conv, helper.make_node("Mystery", ["start"], ["maps"], domain="vendor")], [weight])
    seeds["unknown-domain"] = _model([conv, helper.make_node("Relu", ["start"], ["maps"], domain="nowhere")], [weight])
    seeds["huge"] = _model(
        [helper.make_node("ConstantOfShape", ["s"], ["maps"])], [_tensor(np.array([1, 2, 2**20, 2**20]), "s")]
    )
    seeds["huge-tile"] = _model(
        [conv, helper.make_node("Tile", ["start", "r"], ["maps"])],
        [weight, _tensor(np.array([1, 1, 2**16, 2**16]), "r")],
    )
    seeds["resize"] = _model(
        [conv, helper.make_node("Resize", ["start", "", "scales"], ["maps"])],
        [weight, _tensor(np.array([1, 1, 1e6, 1e6], np.float32), "scales")],
    )
    seeds["divide-by-zero"] = _model(
        [
            conv,
            helper.make_node("Cast", ["start"], ["a"], to=TensorProto.INT32),
            helper.make_node("Sub", ["a", "a"], ["b"]),
            helper.make_node("Div", ["a", "b"], ["d"]),
            helper.make_node("Cast", ["d"], ["maps"], to=TensorProto.FLOAT),
        ],
        [weight],
    )
    seeds["text"] = _model(
        [
            helper.make_node(
                "Constant", [], ["maps"], value=helper.make_tensor("t", TensorProto.STRING, [1, 2, 2, 2], [b"x"] * 8)
            )
        ]
    )
    seeds["nan"] = _model(
        [conv, helper.make_node("Sub", ["start", "inf"], ["a"]), helper.make_node("Sub", ["a", "a"], ["maps"])],
        [weight, _tensor(np.float32(np.inf), "inf")],
    )
    external = _tensor(np.full((2, 3, 3, 3), 0.1, np.float32), "w")
    external.ClearField("raw_data")
    external.data_location = TensorProto.EXTERNAL
    external.external_data.add(key="location", value="/etc/passwd")
    seeds["external"] = _model([conv, relu], [external])
    function = helper.make_function(
        "vendor",
        "Again",
        ["x"],
        ["y"],
        [helper.make_node("Again", ["x"], ["y"], domain="vendor")],
        [helper.make_opsetid("", 13), helper.make_opsetid("vendor", 1)],
    )
    seeds["recursive-function"] = _model(
        [conv, helper.make_node("Again", ["start"], ["maps"], domain="vendor")], [weight], functions=[function]
    )
    fine = helper.make_function(
        "vendor", "Fine", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], [helper.make_opsetid("", 13)]
    )
    seeds["function"] = _model(
        [conv, helper.make_node("Fine", ["start"], ["maps"], domain="vendor")], [weight], functions=[fine]
    )
    doubling = [conv]
    for index in range(40):
        doubling.append(
            helper.make_node("Concat", ["start" if not index else f"c{index}"] * 2, [f"c{index + 1}"], axis=1)
        )
    seeds["doubling"] = _model([*doubling, helper.make_node("Identity", ["c40"], ["maps"])], [weight])
    chain = [conv, *(helper.make_node("Relu", ["start" if not i else f"r{i}"], [f"r{i + 1}"]) for i in range(500))]
    seeds["chain"] = _model([*chain, helper.make_node("Identity", ["r500"], ["maps"])], [weight])
    seeds["newest"] = _model([conv, relu], [weight], opset_imports=[helper.make_opsetid("", 999)])
    seeds["random"] = _model(
        [
            helper.make_node("RandomUniformLike", ["image"], ["a"]),
            helper.make_node("Conv", ["a", "w"], ["maps"], pads=[1, 1, 1, 1]),
        ],
        [weight],
    )
    seeds["wrong-shape"] = _model([helper.make_node("GlobalAveragePool", ["image"], ["maps"])])
    seeds["landmarks"] = _model([helper.make_node("GlobalAveragePool", ["image"], ["maps"])], output=("n", 2, SIZE, 2))
    return seeds


def _messages(graph: Any, found: list[Any]) -> None:
    found.append(graph)
    for node in graph.node:
        found.append(node)
        for attribute in node.attribute:
            found.append(attribute)
            if attribute.HasField("g"):
                _messages(attribute.g, found)
    found += [*graph.initializer, *graph.input, *graph.output]


def mutate_onnx(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change fields of the graph's messages, or bytes."""
    if draw.random() < 0.4:
        return mutate_bytes(data, seeds, draw)
    model = onnx.load_model_from_string(data)
    messages: list[Any] = []
    _messages(model.graph, messages)
    for _ in range(draw.choice((1, 1, 2, 3))):
        message = draw.choice(messages)
        signed = [value - 2**64 if value >= 2**63 else value for value in (*INTEGERS, 2**64 - 1, 2**64 - 5)]
        if isinstance(message, onnx.NodeProto):
            kind = draw.randrange(5)
            if kind == 0:
                message.op_type = draw.choice(
                    (
                        "Relu",
                        "Loop",
                        "If",
                        "Scan",
                        "Conv",
                        "Reshape",
                        "Gather",
                        "Resize",
                        "TopK",
                        "Expand",
                        "Range",
                        "OneHot",
                        "NonZero",
                        "GridSample",
                        "Einsum",
                        "MaxPool",
                        "Mystery",
                        "",
                    )
                )
            elif kind == 1:
                message.domain = draw.choice(("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "nowhere", "vendor"))
            elif kind == 2 and message.input:
                message.input[draw.randrange(len(message.input))] = draw.choice(
                    ("", "image", "start", "maps", "x", "w", "none")
                )
            elif kind == 3 and message.output:
                message.output[0] = draw.choice(("maps", "start", "image", ""))
            else:
                message.attribute.append(
                    helper.make_attribute(
                        draw.choice(("group", "kernel_shape", "axis", "to", "pads", "strides", "x")),
                        draw.choice((signed[3], [1, 1], [-1], -1.5, "x")),
                    )
                )
        elif isinstance(message, onnx.AttributeProto):
            if message.ints:
                message.ints[draw.randrange(len(message.ints))] = draw.choice(signed)
            message.i = draw.choice(signed)
            message.type = draw.choice((message.type, message.type, 0, 1, 2, 3, 4, 5, 7, 8))
        elif isinstance(message, onnx.TensorProto):
            kind = draw.randrange(4)
            if kind == 0 and message.dims:
                message.dims[draw.randrange(len(message.dims))] = draw.choice(signed)
            elif kind == 1:
                message.data_type = draw.randrange(25)
            elif kind == 2:
                message.raw_data = message.raw_data[: draw.randrange(len(message.raw_data) + 1)]
            else:
                message.name = draw.choice(("image", "maps", "", "w"))
        elif isinstance(message, onnx.ValueInfoProto):
            kind = draw.randrange(4)
            if kind == 0:
                message.type.tensor_type.elem_type = draw.randrange(25)
            elif kind == 1 and message.type.tensor_type.shape.dim:
                message.type.tensor_type.shape.dim[
                    draw.randrange(len(message.type.tensor_type.shape.dim))
                ].dim_value = draw.choice(signed)
            elif kind == 2:
                message.name = draw.choice(TEXTS).encode("utf-8", "replace").decode()[:1000]
            else:
                message.type.tensor_type.shape.dim.add().dim_value = 1
        elif isinstance(message, onnx.GraphProto) and message.node:
            if draw.random() < 0.5:
                message.node.append(draw.choice(list(message.node)))
            else:
                del message.node[draw.randrange(len(message.node))]
    return bytes(model.SerializeToString())
