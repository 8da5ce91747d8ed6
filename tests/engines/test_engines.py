"""Every engine against plain float32 torch, and what it says of itself."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import models
from harness import engines
from harness.engines import model_cache
from harness.engines.interface import Engine, check_engine
from harness.engines.measure import measure
from harness.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ("heatmap-hrnet-small", "heatmap-mobilenetv3", "heatmap-resnet10-deconv", "regression")


def _needs(engine: str) -> None:
    if not engines.available()[engine]:
        pytest.skip(f"engine {engine} can't run here")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


def _enlivened(module: nn.Module) -> nn.Module:
    """The network with BatchNorms and a last layer that do something, so that leaving one out shows."""
    torch.manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.1)
            nn.init.normal_(layer.bias, 0, 0.1)
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    for key, parameter in module.named_parameters():
        if "final_layer.weight" in key:
            nn.init.normal_(parameter, 0, 0.02)
    return module


class Tiny(nn.Module):
    """One BatchNorm behind a convolution, one behind a sum; maps of stride 4."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.down = nn.Conv2d(8, 5, 3, 2, 1)
        self.norm = nn.BatchNorm2d(5)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.down(self.stem(images))
        return {"heatmaps": self.norm(maps + maps.relu())}


@pytest.fixture(scope="module")
def small() -> nn.Module:
    return _enlivened(Tiny().eval())


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(3, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "network"),
    [
        *[("torch", network) for network in NETWORKS],
        ("openvino", "heatmap-resnet10-deconv"),
        pytest.param("openvino", "heatmap-mobilenetv3", marks=pytest.mark.slow),
        pytest.param("openvino", "heatmap-hrnet-small", marks=pytest.mark.slow),
        pytest.param("openvino", "regression", marks=pytest.mark.slow),
    ],
)
def test_engine_equals_plain_torch(name: str, network: str, images: Tensor) -> None:
    _needs(name)
    options: dict[str, Any] = {"backbone": "resnet18", "unit": "input-px"} if network == "regression" else {}
    module = _enlivened(models.create(network, points=5, **options))
    engine = engines.create(name, module, threads=1)
    before = images.clone()
    assert check_engine(engine, module, images) < 1e-5
    assert torch.equal(images, before)
    assert engine.exact


def test_onnxruntime_equals_plain_torch(small: nn.Module, images: Tensor) -> None:
    _needs("onnxruntime")
    engine = engines.create("onnxruntime", small, threads=1)
    assert check_engine(engine, small, images) < 1e-5


@pytest.mark.parametrize(
    ("name", "threads"), [("torch", 1), ("openvino", 1), ("openvino", 2), ("openvino", 4), ("onnxruntime", 1)]
)
def test_any_batch_size_and_single_equals_batch(name: str, threads: int, small: nn.Module, images: Tensor) -> None:
    _needs(name)
    engine = engines.create(name, small, threads=threads)
    together = engine(images)["heatmaps"].clone()
    alone = torch.cat([engine(image[None])["heatmaps"].clone() for image in images])
    assert together.is_contiguous()
    assert together.shape == (3, 5, 16, 24)
    assert float((together - alone).abs().max()) < 1e-5


@pytest.mark.parametrize("name", ["torch", "openvino"])
@pytest.mark.parametrize("network", ["offset-mobilenetv3", "simcc-mobilenetv3"])
def test_networks_of_several_outputs_at_any_batch_size(name: str, network: str, images: Tensor) -> None:
    """The last batch of a sweep is shorter: a batch size that a conversion fixes would show here."""
    _needs(name)
    module = _enlivened(models.create(network, points=5))
    engine = engines.create(name, module, threads=1)
    assert check_engine(engine, module, images) < 1e-5
    assert check_engine(engine, module, images[:1]) < 1e-5


@pytest.mark.parametrize("name", ["torch", "openvino", "onnxruntime"])
def test_outputs_outlive_the_next_batch(name: str, small: nn.Module, images: Tensor) -> None:
    _needs(name)
    engine = engines.create(name, small, threads=1)
    first = engine(images)["heatmaps"]
    copy = first.clone()
    engine(images + 1)
    assert torch.equal(first, copy)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize(
    ("name", "threads"), [("torch", 1), ("openvino", 1), ("openvino", 2), ("openvino", 4), ("onnxruntime", 1)]
)
def test_passes_begun_before_another_ends_give_the_same_bits(
    name: str, threads: int, order: tuple[int, ...], small: nn.Module, images: Tensor
) -> None:
    _needs(name)
    engine = engines.create(name, small, threads=threads)
    batches = [images, images + 1, images[:1] - 1]
    alone = [engine(batch)["heatmaps"] for batch in batches]
    for _ in range(3):  # requests are used again
        waits = [engine.start(batch) for batch in batches]
        found = {number: waits[number]()["heatmaps"] for number in order}
        assert all(torch.equal(found[number], expected) for number, expected in enumerate(alone))


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_another_input_size(name: str, small: nn.Module, images: Tensor) -> None:
    _needs(name)
    engine = engines.create(name, small, threads=1)
    engine(images)
    assert check_engine(engine, small, torch.randn(1, 3, 32, 32)) < 1e-5


def test_auto_takes_the_first_that_is_here(small: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"torch": True, "openvino": False, "onnxruntime": True, "cuda": False}
    monkeypatch.setattr(engines, "available", lambda: here)
    engine = engines.create("auto", small)
    assert engine.name == "torch"
    assert engine.details["chosen_by"] == "auto"


def test_details_say_what_was_done(small: nn.Module, images: Tensor) -> None:
    engine = engines.create("torch", small, threads=torch.get_num_threads())
    engine(images)
    assert engine.details["batch_norms_folded"] == "1 of 2"
    assert engine.details["torch"] == torch.__version__


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        pytest.param("openvnio", {}, "did you mean 'openvino'", id="near name"),
        pytest.param("zzz", {}, "known: auto, torch, openvino, onnxruntime, cuda", id="far name"),
        pytest.param("torch", {"precision": "bf16"}, "no option 'precision'; it takes none", id="option"),
        pytest.param("cuda:bf16", {}, "'bf16' is not key=value", id="spec"),
        pytest.param("cuda:precison=bf16", {}, "it takes precision, compile", id="option in a spec"),
        pytest.param("cuda:precision=int8", {}, "precision 'int8' is unknown", id="precision"),
        pytest.param("torch", {"threads": 0}, "threads=0 must be at least 1", id="threads"),
    ],
)
def test_bad_requests_are_one_line(small: nn.Module, name: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as error:
        engines.create(name, small, **options)  # type: ignore[arg-type]
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_absent_packages_are_named(small: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in ("openvino", "onnx") else real(n, *a))
    with pytest.raises(InputError, match=r"needs the package openvino: pip install 'nmebench\[openvino\]'"):
        engines.create("openvino", small)
    with pytest.raises(InputError, match="package onnx, which isn't installed"):
        engines.create("onnxruntime", small)
    assert not engines.available()["openvino"]


def test_cuda_says_when_there_is_none(small: nn.Module) -> None:
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    with pytest.raises(InputError, match="finds no CUDA device"):
        engines.create("cuda", small)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_cuda(small: nn.Module, images: Tensor, precision: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    engine = engines.create(f"cuda:precision={precision}", small)
    difference = check_engine(engine, small, images)
    assert engine.exact == (precision == "float32")
    assert difference < {"float32": 1e-4, "tf32": 1e-2, "bf16": 0.2}[precision]
    assert engine(images)["heatmaps"].is_cuda


class _Off(Engine):
    """An engine that is wrong by as much as it is told."""

    name = "off"

    def __init__(self, module: nn.Module, change: Callable[[Tensor], Tensor], *, key: str = "heatmaps") -> None:
        self.module, self.change, self.key = module, change, key
        self.details = {}

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        with torch.inference_mode():
            return {self.key: self.change(self.module(images)["heatmaps"])}


def test_check_engine_measures(small: nn.Module, images: Tensor) -> None:
    assert check_engine(_Off(small, lambda h: h), small, images) == 0
    assert check_engine(_Off(small, lambda h: h + 5e-5), small, images) == pytest.approx(5e-5, rel=0.05)
    inexact = _Off(small, lambda h: h + 1)
    inexact.exact = False
    assert check_engine(inexact, small, images) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "key", "says"),
    [
        pytest.param(lambda h: h + 1, "heatmaps", "differs from plain torch by 1 in heatmaps", id="wrong"),
        pytest.param(lambda h: h * float("nan"), "heatmaps", "differs from plain torch by nan", id="NaN"),
        pytest.param(lambda h: h[1:], "heatmaps", "gives heatmaps [2, 5, 16, 24]", id="a face short"),
        pytest.param(lambda h: h, "maps", "gives ['maps'], the network gives ['heatmaps']", id="another name"),
    ],
)
def test_check_engine_refuses(
    small: nn.Module, images: Tensor, change: Callable[[Tensor], Tensor], key: str, says: str
) -> None:
    with pytest.raises(InputError) as error:
        check_engine(_Off(small, change, key=key), small, images)
    assert says in str(error.value)


@pytest.mark.parametrize(("threads", "streams"), [(1, 1), (2, 2), (6, 3), (7, 1), (8, 4)])
def test_openvino_streams_share_the_threads(small: nn.Module, threads: int, streams: int) -> None:
    _needs("openvino")
    assert engines.create("openvino", small, threads=threads).details["streams"] == streams


def test_other_threads_are_compiled_anew(small: nn.Module, images: Tensor, cache: Path) -> None:
    _needs("openvino")
    for threads, prepared in ((1, "converted and compiled"), (2, "converted and compiled"), (1, "read from the cache")):
        engine = engines.create("openvino", small, threads=threads)
        engine.prepare(images)
        assert engine.prepared == prepared


def test_converted_network_is_kept_and_read_again(small: nn.Module, images: Tensor, cache: Path) -> None:
    _needs("openvino")
    first = engines.create("openvino", small, threads=1)
    expected = first(images)["heatmaps"]
    assert first.prepared == "converted and compiled"
    second = engines.create("openvino", small, threads=1)
    assert torch.equal(second(images)["heatmaps"], expected)
    assert second.prepared == "read from the cache"
    assert second.details == first.details
    (entry,) = cache.iterdir()
    with (entry / "compiled").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 64)
    third = engines.create("openvino", small, threads=1)
    assert torch.equal(third(images)["heatmaps"], expected)
    assert third.prepared == "converted and compiled"


def test_unwritable_cache_is_stated_and_costs_nothing_else(
    small: nn.Module, images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _needs("openvino")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "file"))
    engine = engines.create("openvino", small, threads=1)
    assert check_engine(engine, small, images) < 1e-5
    assert "; not kept in " in engine.prepared


def test_key_depends_on_weights_structure_and_facts() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Upsample(scale_factor=2, mode="bilinear"))
    nearest = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Upsample(scale_factor=2, mode="nearest"))
    nearest.load_state_dict(plain.state_dict())
    key = model_cache.key(plain, "1")
    assert key == model_cache.key(plain, "1")
    assert key != model_cache.key(nearest, "1")
    assert key != model_cache.key(plain, "2")
    with torch.no_grad():
        next(plain.parameters()).view(-1)[0] += 1e-6
    assert key != model_cache.key(plain, "1")


def test_only_the_newest_are_kept(cache: Path) -> None:
    for number in range(model_cache.KEPT + 3):
        with model_cache.store(f"{number:02}") as entry:
            (entry / "x").write_text(str(number))
        os.utime(cache / f"{number:02}", (number, number))
    assert len(list(cache.iterdir())) == model_cache.KEPT
    assert model_cache.fetch("00") is None
    newest = model_cache.fetch(f"{model_cache.KEPT + 2:02}")
    assert newest is not None
    assert (newest / "x").read_text() == str(model_cache.KEPT + 2)


def test_two_processes_may_store_the_same_network(cache: Path) -> None:
    with model_cache.store("x") as late:
        with model_cache.store("x") as early:
            (early / "a").write_text("1")
        (late / "a").write_text("1")
    assert [p.name for p in cache.iterdir()] == ["x"]
    assert model_cache.fetch("x") is not None


def test_a_failed_conversion_leaves_nothing(cache: Path) -> None:
    def fail(entry: Path) -> None:
        (entry / "half").write_text("")
        raise RuntimeError

    with pytest.raises(RuntimeError), model_cache.store("x") as entry:
        fail(entry)
    assert list(cache.iterdir()) == []


def test_networks_with_their_own_runtime_keep_it(shared: Path) -> None:
    module = models.create(
        "onnx", shared / "weights/PFLD_GhostNet_Slim_112_1_opt_sim.onnx", kind="landmarks", unit="crop-fraction"
    )
    engine = engines.create("openvino", module, threads=1)
    assert engine.name == "onnxruntime (card)"
    assert engine.details["threads"] == 1
    images = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 112, 112), dtype=np.float32))
    assert check_engine(engine, module, images) == 0


def test_network_that_cannot_be_converted_is_one_line(images: Tensor) -> None:
    _needs("openvino")

    class Stubborn(nn.Module):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            raise ValueError("no tracing here\nplease")

    engine = engines.create("openvino", Stubborn())
    with pytest.raises(InputError, match=r"openvino can't convert Stubborn: .*use --engine torch") as error:
        engine(images)
    assert "\n" not in str(error.value)


def test_conversion_opens_no_connection(tmp_path: Path) -> None:
    _needs("openvino")
    code = """
import socket
def refuse(*a, **k):
    raise SystemExit("a connection was opened")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import torch
from harness import engines
class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 2, 3, 4, 1)
    def forward(self, images):
        return {"heatmaps": self.conv(images)}
module = Tiny().eval()
engine = engines.create("openvino", module, threads=1)
print(tuple(engine(torch.zeros(1, 3, 32, 32))["heatmaps"].shape))
"""
    environment = {**os.environ, "NMEBENCH_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 2, 8, 8)"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torch", "openvino", "onnxruntime"])
def test_hrnet_equals_mmpose_on_every_engine(shared: Path, name: str) -> None:
    _needs(name)
    module = models.create("hrnetv2-w18", shared / "oracle/model/hrnetv2_w18_wflw_mm0.pth")
    with np.load(shared / "oracle/preproc/faces4.npz") as file:
        images = torch.from_numpy(file["input_tensor"])
    with np.load(shared / "oracle/model/outputs.npz") as file:
        expected = file["heatmaps"]
    found = engines.create(name, module)(images)["heatmaps"].numpy()
    assert float(np.abs(found - expected).max()) < 5e-6


def test_measure_gives_a_line_for_each_engine_and_batch(small: nn.Module) -> None:
    timings = measure(small, ["torch"], batches=(1, 2), size=(64, 32), rounds=2)
    assert [(t.engine, t.batch) for t in timings] == [("eager", 1), ("torch", 1), ("eager", 2), ("torch", 2)]
    assert all(t.wall_ms > 0 and t.difference < 1e-5 for t in timings)


_GIVEN_UP_IN_A_THREAD = """
import faulthandler, gc, signal, subprocess, sys, threading
import torch
from harness import engines
faulthandler.enable()  # its handlers, and Python's own, run on the alternate signal stack
signal.signal(signal.SIGCHLD, lambda *_: None)
class Named(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 2, 3)
    def forward(self, images):
        return {"heatmaps": self.layer(images)}
held = [engines.create("openvino", Named().eval(), threads=2)]
held[0](torch.zeros(2, 3, 16, 16))
def give_up():
    held.clear()
    gc.collect()
other = threading.Thread(target=give_up)
other.start()
other.join()
for _ in range(3):
    subprocess.run([sys.executable, "-c", ""], check=True)
print("alive")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX signals")
def test_an_engine_may_be_given_up_in_another_thread(cache: Path) -> None:
    _needs("openvino")
    done = subprocess.run(
        [sys.executable, "-c", _GIVEN_UP_IN_A_THREAD], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr[-500:]
