"""A damaged training checkpoint is one line that says what to do."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nmebench.errors import InputError
from nmebench.training import state


def parts() -> dict[str, Any]:
    torch.manual_seed(0)
    module = nn.Conv2d(3, 2, 1)
    optimiser = torch.optim.Adam(module.parameters())
    module.weight.grad = torch.ones_like(module.weight)
    module.bias.grad = torch.ones_like(module.bias)
    optimiser.step()
    return {"module": module, "average": state.Average(module, decay=0.9), "optimiser": optimiser}


def load(path: Path) -> int:
    return state.load(path, recipe="a", device=torch.device("cpu"), **parts())


def packed(value: object) -> bytes:
    sink = io.BytesIO()
    torch.save(value, sink)
    return sink.getvalue()


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: {name: value for name, value in content.items() if name != key}


def with_(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content | {key: value}


def test_whole_checkpoint(tmp_path: Path) -> None:
    state.save(tmp_path / "c.pt", recipe="a", step=3, **parts())
    assert load(tmp_path / "c.pt") == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda content: [content],
        lambda _: None,
        *(without(key) for key in ("recipe", "step", "module", "average", "updates", "optimiser")),
        with_("step", "x"),
        with_("module", [1]),
        with_("module", {"weight": 1}),
        with_("optimiser", {}),
        with_("optimiser", {"state": 3, "param_groups": [{"params": [0, 1]}]}),
        with_("average", {"weight": 3}),
        with_("updates", None),
    ],
)
def test_other_content(tmp_path: Path, change: Callable[[Any], object]) -> None:
    state.save(tmp_path / "c.pt", recipe="a", step=3, **parts())
    content = torch.load(tmp_path / "c.pt", weights_only=True)
    (tmp_path / "c.pt").write_bytes(packed(change(content)))
    with pytest.raises(InputError, match=r"can't be read as a checkpoint of this run .*: delete it"):
        load(tmp_path / "c.pt")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00.", b"x" * 1000])
def test_damaged_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.pt").write_bytes(content)
    with pytest.raises(InputError) as error:
        load(tmp_path / "c.pt")
    assert str(error.value).isprintable()


def test_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.pt")
    with pytest.raises(InputError, match="pipe"):
        load(tmp_path / "c.pt")
