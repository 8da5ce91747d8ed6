"""The description of everything that a network holds."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn

from nmebench.engines.state_hash import StateError, network_state


class Holder(nn.Module):
    """A network whose outputs depend on an attribute."""

    def __init__(self, held: Any) -> None:
        super().__init__()
        self.held = held

    def forward(self, images: Tensor) -> Tensor:
        return images * self.held  # type: ignore[no-any-return]


class Opaque:
    """A value that Python can't look into."""

    def __reduce__(self) -> str:
        raise RuntimeError("no content\nto see")


def coo(value: float) -> Tensor:
    return torch.sparse_coo_tensor([[0, 1], [1, 0]], [1.0, value], (2, 2))


def quantized(scale: float = 0.5, zero: int = 0) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.ones(2) * scale, scale, zero, torch.qint8)


def per_channel(scale: float) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scales = torch.tensor([0.5, scale])
        return torch.quantize_per_channel(torch.zeros(2, 2), scales, torch.zeros(2), 0, torch.qint8)


def closure(value: float) -> Callable[[float], float]:
    return lambda x: x * value


def scripted(held: float) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(Holder(held))  # type: ignore[no-any-return]


def packed(weight: float) -> nn.Module:
    """A layer whose weights are neither parameters nor buffers."""
    layer = nn.Linear(2, 2)
    nn.init.constant_(layer.weight, weight)
    nn.init.zeros_(layer.bias)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(layer).eval())  # type: ignore[no-any-return]


def constant(value: float) -> nn.Linear:
    layer = nn.Linear(2, 2)
    for parameter in layer.parameters():
        nn.init.constant_(parameter, value)
    return layer


def hooked(value: float) -> nn.Module:
    layer = nn.Identity()
    layer.register_forward_hook(lambda _module, _given, output: output * value)
    return layer


LIST = [1.0]

#: How to make a value from a number; other numbers must give other descriptions.
VALUES: dict[str, Callable[[float], Any]] = {
    "sparse": coo,
    "sparse rows": lambda x: coo(x).to_sparse_csr(),
    "sparse columns": lambda x: coo(x).to_sparse_csc(),
    "scale": lambda x: quantized(scale=x / 2),
    "zero point": lambda x: quantized(zero=int(x)),
    "scale of a channel": per_channel,
    "closure": closure,
    "default of a function": lambda x: eval(f"lambda a={x}: a"),
    "text of a function": lambda x: eval(f"lambda a: a * {x}"),
    "bound method": lambda x: Holder(x).forward,
    "method of a list": lambda x: [x].index,
    "network in a list": lambda x: [constant(x)],
    "order of shared objects": lambda x: [LIST, other := [1.0], LIST if x == 1 else other],
    "weak reference": lambda x: weakref.ref(KEPT.setdefault(x, Holder(x))),
    "generator": lambda x: torch.Generator().manual_seed(int(x)),
    "attributes of a list": lambda x: _with_attribute(x),
    "conjugate": lambda x: torch.tensor([1 + 1j * x]).conj(),
    "structured array": lambda x: np.array([(1, x)], dtype=[("a", "i4"), ("b", "f8")]),
}
KEPT: dict[float, Holder] = {}


class _List(list[Any]):
    pass


def _with_attribute(value: float) -> _List:
    values = _List([1])
    values.gain = value  # type: ignore[attr-defined]
    return values


@pytest.mark.parametrize("name", VALUES)
def test_description_depends_on_what_an_attribute_holds(name: str) -> None:
    make = VALUES[name]
    assert network_state(Holder(make(1.0))) == network_state(Holder(make(1.0))) != network_state(Holder(make(2.0)))


@pytest.mark.parametrize("make", [scripted, packed, constant, hooked, lambda x: nn.Sequential(scripted(x))])
def test_description_depends_on_what_a_module_holds(make: Callable[[float], nn.Module]) -> None:
    assert network_state(make(1.0)) == network_state(make(1.0)) != network_state(make(2.0))


def test_quantized_values_count() -> None:
    one, other = quantized(), quantized()
    assert network_state(Holder(one)) == network_state(Holder(other))
    other[0] = 0
    assert network_state(Holder(one)) != network_state(Holder(other))


def test_generated_code_counts() -> None:
    one, again, other = (fx.symbolic_trace(Holder(gain)) for gain in (1.5, 1.5, 2.5))
    assert network_state(one) == network_state(again) != network_state(other)


def test_values_without_content_are_no_difference() -> None:
    assert network_state(Holder([threading.Lock(), np])) == network_state(Holder([threading.Lock(), np]))


@pytest.mark.parametrize(
    ("held", "message"),
    [
        pytest.param(Opaque(), "a .*Opaque doesn't show its content", id="error in the user's code"),
        pytest.param((x for x in "a"), "a builtins.generator doesn't", id="generator"),
        pytest.param(memoryview(b"1"), "a builtins.memoryview doesn't", id="memory"),
        pytest.param(torch.zeros(2, device="meta"), "on meta doesn't show", id="tensor without content"),
        pytest.param(torch.ones(2, 2).to_mkldnn(), "layout torch._mkldnn", id="layout"),
    ],
)
def test_value_without_a_description_is_refused(held: object, message: str) -> None:
    with pytest.raises(StateError, match=message) as error:
        network_state(Holder(held))
    assert "\n" not in str(error.value)


def test_property_that_fails_is_one_line() -> None:
    class Failing(nn.Module):
        def extra_repr(self) -> str:
            raise KeyError("not\nready")

    with pytest.raises(StateError, match="the state of Failing can't be read: KeyError") as error:
        network_state(Failing())
    assert "\n" not in str(error.value)


def test_copy_has_the_same_description() -> None:
    network = nn.Sequential(Holder({"a", "b", "c", ("d", 1.0)}), constant(1.0))
    assert network_state(network) == network_state(copy.deepcopy(network))


@pytest.mark.slow
def test_processes_agree() -> None:
    """Sets have another order in each process, and objects another address."""
    program = (
        "import hashlib, torch; from pathlib import Path; from torch import nn;"
        "from nmebench.engines.state_hash import network_state; n = nn.Upsample(scale_factor=2);"
        "n.held = [{'a', 'b', 'c', frozenset('xyz')}, {'k': Path('a')}, len, torch.ones(2).to_sparse(), nn.Linear];"
        "print(hashlib.sha256(repr(network_state(n)).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
