"""No tensor of an ONNX file may keep its data in another file, and damaged files give one line."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from nmebench import models
from nmebench.models.onnx_file import read_onnx


def _tensor(name: str = "w") -> onnx.TensorProto:
    return numpy_helper.from_array(np.zeros(3, np.float32), name)


def _external(name: str = "w", *, location: bool = True, entry: bool = True) -> onnx.TensorProto:
    tensor = _tensor(name)
    tensor.ClearField("raw_data")
    if location:
        tensor.data_location = TensorProto.EXTERNAL
    if entry:
        tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def _model(
    *, initializers: tuple[onnx.TensorProto, ...] = (), nodes: tuple[onnx.NodeProto, ...] = ()
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["maps"]), *nodes],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [*initializers, numpy_helper.from_array(np.int64(1), "n")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _constant(tensor: onnx.TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["c"], value=tensor)


def _branch(tensor: onnx.TensorProto) -> onnx.NodeProto:
    output = [helper.make_tensor_value_info("o", TensorProto.FLOAT, [3])]
    inner = helper.make_graph([helper.make_node("Identity", ["w"], ["o"])], "b", [], output, [tensor])
    other = helper.make_graph([helper.make_node("Identity", ["w"], ["o"])], "b", [], output, [_tensor()])
    return helper.make_node("If", ["condition"], ["c"], then_branch=other, else_branch=inner)


def _nested(tensor: onnx.TensorProto) -> onnx.NodeProto:
    body = helper.make_graph([_branch(tensor)], "body", [], [])
    return helper.make_node("Loop", ["n", "condition"], ["c"], body=body)


def _sparse(tensor: onnx.TensorProto, *, indices: bool) -> onnx.ModelProto:
    model = _model()
    sparse = model.graph.sparse_initializer.add()
    (sparse.indices if indices else sparse.values).CopyFrom(tensor)
    return model


def _sparse_constant(tensor: onnx.TensorProto) -> onnx.NodeProto:
    (sparse,) = _sparse(tensor, indices=False).graph.sparse_initializer
    return helper.make_node("Constant", [], ["c"], sparse_value=sparse)


def _function(tensor: onnx.TensorProto) -> onnx.ModelProto:
    model = _model()
    opset = [helper.make_opsetid("", 13)]
    model.functions.append(helper.make_function("own", "F", ["a"], ["c"], [_constant(tensor)], opset))
    return model


def _function_attribute(tensor: onnx.TensorProto) -> onnx.ModelProto:
    model = _function(_tensor())
    model.functions[0].attribute_proto.append(helper.make_attribute("t", tensor))
    return model


def _training(tensor: onnx.TensorProto) -> onnx.ModelProto:
    model = _model()
    model.training_info.add().algorithm.initializer.append(tensor)
    return model


PLACES: dict[str, Callable[[onnx.TensorProto], onnx.ModelProto]] = {
    "initializer": lambda t: _model(initializers=(_tensor("a"), t)),
    "constant": lambda t: _model(nodes=(_constant(t),)),
    "list of tensors": lambda t: _model(nodes=(helper.make_node("X", [], ["c"], domain="own", values=[_tensor(), t]),)),
    "branch": lambda t: _model(nodes=(_branch(t),)),
    "branch in a loop": lambda t: _model(nodes=(_nested(t),)),
    "sparse values": lambda t: _sparse(t, indices=False),
    "sparse indices": lambda t: _sparse(t, indices=True),
    "sparse attribute": lambda t: _model(nodes=(_sparse_constant(t),)),
    "function": _function,
    "attribute of a function": _function_attribute,
    "training": _training,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "external",
    [
        pytest.param({}, id="both"),
        pytest.param({"entry": False}, id="only the location"),
        pytest.param({"location": False}, id="only the entry"),
    ],
)
def test_external_tensor_anywhere_is_refused(tmp_path: Path, place: str, external: dict[str, bool]) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(PLACES[place](_tensor()).SerializeToString())
    assert read_onnx(path) == path.read_bytes()
    path.write_bytes(PLACES[place](_external(**external)).SerializeToString())
    with pytest.raises(models.CheckpointError, match="keeps its weights in another file"):
        models.create("onnx", path)


def test_value_before_its_key(tmp_path: Path) -> None:
    """Fields of a message may come in any order: a search for the encoded key ``location`` finds nothing here."""
    model = _model(initializers=(_external(),))
    raw = model.SerializeToString()
    key, value = b"\x0a\x08location", b"\x12\x0bweights.bin"
    assert key + value in raw
    path = tmp_path / "x.onnx"
    path.write_bytes(raw.replace(key + value, value + key))
    assert onnx.load(path, load_external_data=False) == model
    assert b"\x0a\x08location\x12" not in path.read_bytes()
    with pytest.raises(models.CheckpointError, match="keeps its weights in another file"):
        models.create("onnx", path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "is empty", id="0 bytes"),
        pytest.param(b"<html></html>", "no ONNX network", id="HTML"),
        pytest.param(bytes(100), "no ONNX network", id="zeros"),
        pytest.param(b"\x3a\xff\xff\xff\xff\x0f", "cut short", id="size beyond the end"),
        pytest.param(b"\x3a" + b"\xff" * 11, "more than 10 bytes", id="endless integer"),
        pytest.param(b"\x0b", "wire type 3", id="group"),
        pytest.param(b"\x38", "cut short", id="tag without a value"),
        pytest.param(b"\x00\x00\x00\x00ORTM" + bytes(40), r"\.ort", id="ORT format"),
    ],
)
def test_damaged_messages(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(models.CheckpointError, match=message) as error:
        models.create("onnx", path)
    assert "\n" not in str(error.value)


def test_nesting_is_bounded(tmp_path: Path) -> None:
    def field(number: int, content: bytes) -> bytes:
        size = len(content)
        varint = bytearray()
        while size > 0x7F:
            varint.append(size & 0x7F | 0x80)
            size >>= 7
        return bytes([number << 3 | 2, *varint, size]) + content

    graph = b""
    for _ in range(1000):  # Graph.node, Node.attribute, Attribute.g
        graph = field(1, field(5, field(6, graph)))
    path = tmp_path / "x.onnx"
    path.write_bytes(field(7, graph))
    with pytest.raises(models.CheckpointError, match="nested more than 100 deep"):
        models.create("onnx", path)


def test_custom_operator_gives_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    node = helper.make_node("Magic", ["image"], ["c"], domain="somebody.else")
    model = _model(nodes=(node,))
    model.opset_import.append(helper.make_opsetid("somebody.else", 1))
    onnx.save(model, path)
    with pytest.raises(models.CheckpointError, match=r"no ONNX network that can be run: .*Magic") as error:
        models.create("onnx", path)
    assert "\n" not in str(error.value)


def test_output_of_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    node = helper.make_node(
        "Constant", [], ["maps"], value=helper.make_tensor("t", TensorProto.STRING, [1, 2, 2, 2], [b"x"] * 8)
    )
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("maps", TensorProto.STRING, [1, 2, 2, 2])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    with pytest.raises(models.ModelError, match="not numbers"):
        models.create("onnx", path)(torch.zeros(1, 3, 8, 8))


def test_name_that_is_not_utf8_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """ONNX Runtime would announce a second attempt with the same provider on standard output."""
    path = tmp_path / "x.onnx"
    path.write_bytes(
        _model(nodes=(helper.make_node("Magic", ["image"], ["c"]),)).SerializeToString().replace(b"Magic", b"M\xffgic")
    )
    with pytest.raises(models.CheckpointError):
        models.create("onnx", path)
    assert capfd.readouterr() == ("", "")


def test_reading_reserves_no_more_memory_than_the_file_has(tmp_path: Path) -> None:
    """``read(limit)`` reserves the limit of 2 GiB for a file of any size."""
    path = tmp_path / "x.onnx"
    onnx.save(_model(), path)
    tracemalloc.start()
    read_onnx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * path.stat().st_size + 100_000
