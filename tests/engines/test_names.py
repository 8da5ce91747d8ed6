"""Names and options of engines are checked even where no engine is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nmebench import engines, models
from nmebench.errors import InputError
from nmebench.sweep import plan
from nmebench.sweep.configuration import validate

WRONG = [
    pytest.param("tpu", "unknown engine 'tpu'", id="name"),
    pytest.param("openvnio", "did you mean 'openvino'", id="near name"),
    pytest.param("", "unknown engine ''", id="empty"),
    pytest.param("tpu:precision=bf16", "unknown engine 'tpu'", id="name with option"),
    pytest.param("torch:precision=bf16", "no option 'precision'", id="option"),
    pytest.param("torch:fast", "'fast' is not key=value", id="no value"),
]


@pytest.mark.parametrize(("spec", "message"), WRONG)
def test_network_with_its_own_runtime(tmp_path: Path, spec: str, message: str) -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["image", "zero"], ["maps"])],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [numpy_helper.from_array(np.zeros(1, np.float32), "zero")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "x.onnx")
    module = models.create("onnx", tmp_path / "x.onnx")
    assert engines.create("openvino", module).name == "onnxruntime (card)"
    with pytest.raises(InputError, match=message):
        engines.create(spec, module)


@pytest.mark.parametrize(("spec", "message"), WRONG)
@pytest.mark.parametrize("batch_size", [None, 4])
def test_sweep_of_the_oracle(spec: str, message: str, batch_size: int | None) -> None:
    raw = {"data": "synthface", "models": ["oracle"], "engine": spec, "batch_size": batch_size}
    with pytest.raises(InputError, match=message):
        plan.make(validate(raw, where="a test"))


@pytest.mark.parametrize(("spec", "message"), WRONG)
def test_device_and_check(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        engines.check_spec(spec)
    if "option" not in message:
        with pytest.raises(InputError, match=message):
            engines.device_of(spec)


@pytest.mark.parametrize("spec", ["auto", *engines.REGISTRY.names(), "cuda:precision=bf16,compile=true"])
def test_known_specs(spec: str) -> None:
    engines.check_spec(spec)
