"""Damaged weights and files of the wrong kind: an error of one line, or a network that loads; never anything else."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

from nmebench import models
from nmebench.models import card, checkpoint
from nmebench.models.checkpoint_file import check_file

MUTATIONS = 400


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)).eval()


def _write_pth(path: Path) -> None:
    torch.save({"state_dict": _network().state_dict(), "meta": {"epoch": 3}}, path)


def _write_legacy(path: Path) -> None:
    torch.save(_network().state_dict(), path, _use_new_zipfile_serialization=False)


def _write_safetensors(path: Path) -> None:
    save_file(_network().state_dict(), path)


def _write_onnx(path: Path) -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["maps"]),
        ],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", 2, 8, 8])],
        [numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def _mutated(content: bytes, seed: int) -> bytes:
    """A copy with damage of one of five kinds, more often in the header than in the rest."""
    draw = random.Random(seed)
    damaged = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        where = draw.randrange(min(len(damaged), 300) if draw.random() < 0.6 else len(damaged))
        kind = draw.randrange(5)
        if kind == 0:
            damaged[where] ^= 1 << draw.randrange(8)
        elif kind == 1:
            damaged[where] = draw.choice((0, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del damaged[where : where + draw.randint(1, 40)]
        elif kind == 3:
            damaged[where:where] = draw.randbytes(draw.randint(1, 40))
        else:
            del damaged[max(where, 1) :]
        if not damaged:
            break
    return bytes(damaged)


def _load_checkpoint(path: Path) -> None:
    checkpoint.load(_network(), path)


def _load_onnx(path: Path) -> None:
    models.create("onnx", path)(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize(
    ("name", "write", "load"),
    [
        pytest.param("w.pth", _write_pth, _load_checkpoint, id="pth"),
        pytest.param("w.pth", _write_legacy, _load_checkpoint, id="legacy pth"),
        pytest.param("w.safetensors", _write_safetensors, _load_checkpoint, id="safetensors"),
        pytest.param("w.onnx", _write_onnx, _load_onnx, id="onnx"),
    ],
)
def test_damage_gives_one_line(
    tmp_path: Path, name: str, write: Callable[[Path], None], load: Callable[[Path], None]
) -> None:
    path = tmp_path / name
    write(path)
    load(path)
    complete = path.read_bytes()
    lines: list[str] = []
    for seed in range(MUTATIONS):
        path.write_bytes(_mutated(complete, seed))
        try:
            load(path)
        except models.ModelError as error:  # CheckpointError is a subclass
            lines.append(str(error))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
    assert [line for line in lines if "\n" in line or len(line) > 1000] == []
    assert len(lines) > MUTATIONS / 2


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes on this system")
    os.mkfifo(tmp_path / "pipe.pth")
    return tmp_path / "pipe.pth"


LOADERS = [
    pytest.param(lambda path: checkpoint.load(_network(), path), id="load"),
    pytest.param(checkpoint.read, id="read"),
    pytest.param(checkpoint.verify, id="verify"),
    pytest.param(lambda path: models.create("onnx", path), id="onnx"),
    pytest.param(lambda path: models.build(card.load("heatmap-mobilenetv3"), weights=path), id="build"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("load", LOADERS)
def test_pipe_is_refused_before_it_is_opened(pipe: Path, load: Callable[[Path], object]) -> None:
    with pytest.raises(models.CheckpointError, match="is a pipe, device or socket; give a regular file"):
        load(pipe)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("load", LOADERS)
def test_device_is_refused(load: Callable[[Path], object]) -> None:
    device = Path("/dev/zero")
    if not (device.exists() and stat.S_ISCHR(device.stat().st_mode)):
        pytest.skip("no /dev/zero on this system")
    with pytest.raises(models.CheckpointError, match="is a pipe, device or socket"):
        load(device)


@pytest.mark.parametrize("load", LOADERS)
def test_file_of_absurd_size_is_refused(tmp_path: Path, load: Callable[[Path], object]) -> None:
    path = tmp_path / "w.pth"
    with path.open("wb") as file:
        file.truncate(2**35)  # a sparse file
    with pytest.raises(models.CheckpointError, match=r"has 34,359,738,368 bytes: up to [\d,]+ are read"):
        load(path)


@pytest.mark.timeout(60)
def test_card_that_is_a_pipe(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes on this system")
    os.mkfifo(tmp_path / "x.toml")
    with pytest.raises(models.CardError, match="is not a regular file"):
        card.load(tmp_path / "x.toml")


def test_size_of_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"123")
    assert check_file(tmp_path / "x") == 3
    with pytest.raises(models.CheckpointError, match="can't be read"):
        check_file(tmp_path / "a\0b")
