"""Damaged, incomplete and malicious checkpoints give a one-line error and leave the network unchanged."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from nmebench.models import checkpoint
from nmebench.models.errors import CheckpointError
from nmebench.models.naming import Naming


class Small(nn.Module):
    """A small network."""

    namings = (Naming("own", ()), Naming("other", (("old.", "conv."),)))

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.bn = nn.BatchNorm2d(4)


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {k: v.clone() for k, v in Small().state_dict().items()}


def _error(path: Path) -> str:
    """The one-line error of loading a file; the network must stay unchanged."""
    module = Small()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    with pytest.raises(CheckpointError) as error:
        checkpoint.load(module, path)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items()), "the network was changed"
    line = str(error.value)
    assert "\n" not in line
    assert str(path) in line
    return line


class _ShellCommand:
    """An object whose unpickling runs a shell command."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("style", ["torch zip", "torch legacy", "plain pickle", "inside state_dict"])
def test_pickle_that_runs_code_is_refused(tmp_path: Path, state: dict[str, Tensor], style: str) -> None:
    target = tmp_path / "executed"
    path = tmp_path / "malicious.pth"
    malicious = _ShellCommand(target)
    if style == "plain pickle":
        path.write_bytes(pickle.dumps(malicious))
    elif style == "inside state_dict":
        torch.save({"state_dict": state, "meta": malicious}, path)
    else:
        torch.save(malicious, path, _use_new_zipfile_serialization=style == "torch zip")
    assert "it was not run" in _error(path)
    assert not target.exists()
    # The file is malicious: an ordinary unpickler runs the command.
    pickle.loads(pickle.dumps(malicious))
    assert target.exists()


def test_getattr_in_a_pickle_does_nothing(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "w.pth"
    torch.save({"state_dict": state, "meta": {"x": getattr}}, path)
    assert set(checkpoint.read(path)) == set(state)
    torch.save({"state_dict": {**state, "fc": getattr}}, path)
    assert "not tensors: fc" in _error(path)


def test_mmengines_other_objects_are_skipped(
    tmp_path: Path, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("mmengine.logging.history_buffer")
    built: list[object] = []

    class HistoryBuffer:
        def __init__(self) -> None:
            self.history = np.arange(3.0)
            self.methods = {"mean": HistoryBuffer.mean}

        def mean(self) -> None: ...

        def __setstate__(self, content: object) -> None:
            built.append(content)

    HistoryBuffer.__module__, HistoryBuffer.__qualname__ = module.__name__, "HistoryBuffer"
    HistoryBuffer.mean.__module__, HistoryBuffer.mean.__qualname__ = module.__name__, "HistoryBuffer.mean"
    module.HistoryBuffer = HistoryBuffer  # type: ignore[attr-defined]
    for name in ("mmengine", "mmengine.logging"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    meta = {"best_score": np.float64(3.98), "sigmas": np.ones(98, dtype=np.float32), "epoch": np.int64(60)}
    path = tmp_path / "w.pth"
    torch.save({"state_dict": state, "meta": meta, "message_hub": {"log_scalars": {"loss": HistoryBuffer()}}}, path)
    assert set(checkpoint.read(path)) == set(state)
    assert checkpoint.load(Small(), path).naming == "own"
    assert not built


def _save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def _containing_itself(_: dict[str, Tensor]) -> object:
    table: dict[str, object] = {}
    table["state_dict"] = table
    return table


def _without(state: dict[str, Tensor], *keys: str) -> dict[str, Tensor]:
    return {k: v for k, v in state.items() if k not in keys}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda s: _without(s, "bn.weight"), "bn.weight is missing", id="one key missing"),
        pytest.param(
            lambda s: _without(s, "conv.weight", "conv.bias", "bn.weight", "bn.bias"),
            "conv.weight, conv.bias, bn.weight and 1 more are missing (4 missing, 0 unexpected of 7)",
            id="half the keys missing",
        ),
        pytest.param(lambda s: {**s, "fc.weight": torch.zeros(1)}, "fc.weight is unexpected", id="foreign key"),
        pytest.param(
            lambda s: {f"layer{i}.w": torch.zeros(1) for i in range(9)},
            "layer0.w, layer1.w, layer2.w and 6 more are unexpected",
            id="another network",
        ),
        pytest.param(
            lambda s: {**s, "conv.weight": torch.zeros(4, 3, 3, 3)},
            "conv.weight [4, 3, 3, 3] (wanted [4, 3, 1, 1]) is of another shape",
            id="wrong shape",
        ),
        pytest.param(
            lambda s: {**s, "conv.weight": torch.zeros(1).expand(10**12)}, "of another shape", id="shape of a terabyte"
        ),
        pytest.param(
            lambda s: {**s, "bn.weight": torch.full((4,), float("nan"))}, "bn.weight is NaN or infinite", id="NaN"
        ),
        pytest.param(
            lambda s: {**s, "bn.bias": torch.full((4,), 1e300, dtype=torch.float64)},
            "bn.bias is NaN or infinite",
            id="infinite as float32",
        ),
        pytest.param(
            lambda s: {**s, "bn.running_var": torch.full((4,), -1.0)}, "bn.running_var is below 0", id="variance"
        ),
        pytest.param(
            lambda s: {**s, "conv.bias": torch.zeros(4, dtype=torch.int64)}, "wanted torch.float32", id="integers"
        ),
        pytest.param(
            lambda s: {**s, "conv.bias": torch.zeros(4, dtype=torch.complex64)}, "torch.complex64", id="complex"
        ),
        pytest.param(lambda s: {**s, "conv.bias": torch.zeros(4).to_sparse()}, "sparse", id="sparse"),
        pytest.param(lambda s: {**s, "old.bias": s["conv.bias"]}, "old.bias is unexpected", id="two namings at once"),
        pytest.param(lambda s: {**s, "epoch": 3}, "not tensors: epoch", id="number among the parameters"),
        pytest.param(lambda s: {}, "holds no parameters", id="an empty table"),
        pytest.param(lambda s: {"state_dict": {}}, "holds no parameters", id="an empty state_dict"),
        pytest.param(lambda s: torch.zeros(3), "holds no parameters (it holds a Tensor)", id="a tensor"),
        pytest.param(_containing_itself, "holds no parameters (it holds state_dict)", id="table that contains itself"),
        pytest.param(lambda s: [1, 2], "holds no parameters (it holds a list)", id="a list"),
        pytest.param(lambda s: {"meta": {"a": 1}}, "holds no parameters (it holds meta)", id="no parameters at all"),
    ],
)
def test_parameters_that_do_not_fit(
    tmp_path: Path, state: dict[str, Tensor], change: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    assert message in _error(_save(tmp_path / "w.pth", change(state)))


def _wrong_safetensors(shape: list[int], end: int) -> bytes:
    header = json.dumps({"conv.bias": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(16)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("w.pth", b"", "is empty (0 bytes)", id="0 bytes"),
        pytest.param("w.pth", b"<!DOCTYPE html><html>quota exceeded</html>", "is a web page", id="HTML"),
        pytest.param("w.pth", b"\n <html>", "is a web page", id="HTML after white space"),
        pytest.param("w.pth", b"version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer", id="LFS pointer"),
        pytest.param("w.pth", b"just some text, no checkpoint at all", "", id="text"),
        pytest.param("w.pth", bytes(1000), "", id="zeros"),
        pytest.param("w.pth", b"PK\x03\x04" + bytes(100), "cut short or damaged", id="a broken zip"),
        pytest.param("w.safetensors", b"\x00", "not a valid safetensors file", id="safetensors: one byte"),
        pytest.param(
            "w.safetensors", struct.pack("<Q", 2**60) + b"{}", "not a valid safetensors file", id="header too long"
        ),
        pytest.param("w.safetensors", _wrong_safetensors([4], 400), "not a valid safetensors file", id="wrong offsets"),
        pytest.param("w.safetensors", _wrong_safetensors([400], 16), "not a valid safetensors file", id="wrong shape"),
        pytest.param(
            "w.safetensors", _wrong_safetensors([2**62, 4], 16), "not a valid safetensors file", id="shape overflows"
        ),
        pytest.param(
            "w.pth", _wrong_safetensors([400], 16), "not a valid safetensors file", id="recognised by content"
        ),
    ],
)
def test_files_that_are_not_checkpoints(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert message in _error(path)


def test_truncated_files_are_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    complete = _save(tmp_path / "complete.pth", state).read_bytes()
    for tenth in range(1, 10):
        path = tmp_path / f"cut{tenth}.pth"
        path.write_bytes(complete[: len(complete) * tenth // 10])
        assert path.name in _error(path)


def test_compressed_zip_is_error(tmp_path: Path, state: dict[str, Tensor]) -> None:
    source = _save(tmp_path / "w.pth", {**state, "conv.weight": torch.zeros(1_000_000)})
    path = tmp_path / "small.pth"
    with zipfile.ZipFile(source) as a, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as b:
        for item in a.infolist():
            b.writestr(item.filename, a.read(item))
    assert "torch.save never compresses" in _error(path)


def test_missing_file_and_directory(tmp_path: Path) -> None:
    assert "can't be read: No such file" in _error(tmp_path / "absent.pth")
    assert "is a folder" in _error(tmp_path)


def test_hash_in_the_name_is_verified(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = _save(tmp_path / "w.pth", state)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    good = path.rename(tmp_path / f"w-{digest[:8]}_20210125.pth")
    assert checkpoint.load(Small(), good).sha256 == digest
    bad = good.rename(tmp_path / "w-00c0ffee_20210125.pth")
    line = _error(bad)
    assert f"begins with {digest[:8]}, its name says 00c0ffee" in line


def test_hashes_of_the_card_are_verified(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = _save(tmp_path / "w.pth", state)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    checkpoint.load(Small(), path, sha256=digest, hash_prefix=digest[:8].upper())
    with pytest.raises(CheckpointError, match="the card says 00c0ffee"):
        checkpoint.load(Small(), path, hash_prefix="00c0ffee")
    with pytest.raises(CheckpointError, match="the card says 0000"):
        checkpoint.load(Small(), path, sha256="0" * 64)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_other_floats_become_float32(tmp_path: Path, state: dict[str, Tensor], dtype: torch.dtype, suffix: str) -> None:
    changed = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
    path = tmp_path / f"w.{suffix}"
    if suffix == "pth":
        torch.save(changed, path)
    else:
        safetensors.torch.save_file(changed, path)
    module = Small()
    checkpoint.load(module, path)
    for key, value in module.state_dict().items():
        assert torch.equal(value, changed[key].to(state[key].dtype))
        assert value.dtype == state[key].dtype


def test_renaming_and_missing_counters_are_reported(tmp_path: Path, state: dict[str, Tensor]) -> None:
    renamed = {k.replace("conv.", "module.old.") if "conv" in k else f"module.{k}": v for k, v in state.items()}
    del renamed["module.bn.num_batches_tracked"]
    module = Small()
    loaded = checkpoint.load(module, _save(tmp_path / "w.pth", {"model": {"state_dict": renamed}}))
    assert loaded.naming == "other"
    assert loaded.renamed == {"old. -> conv.": 2}
    assert loaded.counters_missing == 1
    assert torch.equal(module.conv.weight, state["conv.weight"])


def test_format_of_torch_before_1_6(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "w.pth"
    torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=False)
    assert checkpoint.load(Small(), path).naming == "own"


def test_plain_metadata_is_accepted(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = _save(tmp_path / "w.pth", {"meta": {"epoch": 60, "names": ("a", 1.5)}, "state_dict": state, "optimizer": {}})
    assert set(checkpoint.read(path)) == set(state)
