"""A small data set, and a network that is quick on any machine, in memory and as a card."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from few_faces import write_few_faces
from safetensors.torch import load_file, save_file
from small_net import CARD, NET, import_file

import nmebench as nb


@pytest.fixture(scope="session")
def few_faces(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Eleven faces in seven photographs: the data set's name."""
    return f"wflw:{write_few_faces(tmp_path_factory.mktemp('few') / 'WFLW')}"


@pytest.fixture(scope="session")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card of the network and its weights, with statistics of a BatchNorm that matter."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "net.py").write_text(NET)
    (folder / "card.toml").write_text(CARD)
    torch.manual_seed(3)
    net = import_file(folder / "net.py", "made_net").Net()
    net.stem[1].running_mean.uniform_(-0.2, 0.2)
    net.stem[1].running_var.uniform_(0.5, 2)
    save_file(net.state_dict(), folder / "net.safetensors")
    return folder / "card.toml"


@pytest.fixture
def net(card: Path) -> Iterator[Any]:
    """The network of the card in memory, in training mode."""
    module = import_file(card.parent / "net.py", "users_net")
    made = module.Net()
    made.load_state_dict(load_file(card.parent / "net.safetensors"))
    yield made.train()
    sys.modules.pop("users_net", None)


@pytest.fixture
def run(few_faces: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., nb.Run]:
    """``run(MODELS, ..., out=NAME)`` measures networks on the eleven faces with plain torch."""
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))

    def measure(models: Any, *, out: str | None = "run", **options: Any) -> nb.Run:
        folder = None if out is None else tmp_path / out
        options = {"engine": "torch", "threads": 1, "batch_size": 4, "pictures": False} | options
        return nb.run(few_faces, models, out=folder, **options)

    return measure
