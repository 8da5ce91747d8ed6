"""Every engine against plain float32 torch, and the errors of engines."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nmebench import engines, models
from nmebench.engines.interface import check_engine
from nmebench.errors import InputError

NETWORKS = ("heatmap-hrnet-small", "heatmap-mobilenetv3", "heatmap-resnet10-deconv", "regression")


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
def test_engine_equals_plain_torch(
    require_engine: Callable[[str], None],
    randomise: Callable[[nn.Module], nn.Module],
    name: str,
    network: str,
    images: Tensor,
) -> None:
    require_engine(name)
    options: dict[str, Any] = {"backbone": "resnet18", "unit": "input-px"} if network == "regression" else {}
    module = randomise(models.create(network, points=5, **options))
    engine = engines.create(name, module, threads=1)
    before = images.clone()
    assert check_engine(engine, module, images) < 1e-5
    assert torch.equal(images, before)
    assert engine.exact


def test_onnxruntime_equals_plain_torch(
    require_engine: Callable[[str], None], small: nn.Module, images: Tensor
) -> None:
    require_engine("onnxruntime")
    engine = engines.create("onnxruntime", small, threads=1)
    assert check_engine(engine, small, images) < 1e-5


@pytest.mark.parametrize(
    ("name", "threads"), [("torch", 1), ("openvino", 1), ("openvino", 2), ("openvino", 4), ("onnxruntime", 1)]
)
def test_single_images_equal_the_batch(
    require_engine: Callable[[str], None], name: str, threads: int, small: nn.Module, images: Tensor
) -> None:
    require_engine(name)
    engine = engines.create(name, small, threads=threads)
    together = engine(images)["heatmaps"].clone()
    alone = torch.cat([engine(image[None])["heatmaps"].clone() for image in images])
    assert together.is_contiguous()
    assert together.shape == (3, 5, 16, 24)
    assert float((together - alone).abs().max()) < 1e-5


@pytest.mark.parametrize("name", ["torch", "openvino"])
@pytest.mark.parametrize("network", ["offset-mobilenetv3", "simcc-mobilenetv3"])
def test_networks_of_several_outputs_at_any_batch_size(
    require_engine: Callable[[str], None],
    randomise: Callable[[nn.Module], nn.Module],
    name: str,
    network: str,
    images: Tensor,
) -> None:
    """The last batch of a sweep is shorter, so a conversion must not fix the batch size."""
    require_engine(name)
    module = randomise(models.create(network, points=5))
    engine = engines.create(name, module, threads=1)
    assert check_engine(engine, module, images) < 1e-5
    assert check_engine(engine, module, images[:1]) < 1e-5


@pytest.mark.parametrize("name", ["torch", "openvino", "onnxruntime"])
def test_outputs_stay_valid_after_the_next_batch(
    require_engine: Callable[[str], None], name: str, small: nn.Module, images: Tensor
) -> None:
    require_engine(name)
    engine = engines.create(name, small, threads=1)
    first = engine(images)["heatmaps"]
    copy = first.clone()
    engine(images + 1)
    assert torch.equal(first, copy)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize(
    ("name", "threads"), [("torch", 1), ("openvino", 1), ("openvino", 2), ("openvino", 4), ("onnxruntime", 1)]
)
def test_overlapping_passes_give_the_same_bits(
    require_engine: Callable[[str], None],
    name: str,
    threads: int,
    order: tuple[int, ...],
    small: nn.Module,
    images: Tensor,
) -> None:
    require_engine(name)
    engine = engines.create(name, small, threads=threads)
    batches = [images, images + 1, images[:1] - 1]
    alone = [engine(batch)["heatmaps"] for batch in batches]
    for _ in range(3):  # the engine reuses its requests
        outputs_of = [engine.start(batch) for batch in batches]
        found = {number: outputs_of[number]()["heatmaps"] for number in order}
        assert all(torch.equal(found[number], expected) for number, expected in enumerate(alone))


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_second_input_size(require_engine: Callable[[str], None], name: str, small: nn.Module, images: Tensor) -> None:
    require_engine(name)
    engine = engines.create(name, small, threads=1)
    engine(images)
    assert check_engine(engine, small, torch.randn(1, 3, 32, 32)) < 1e-5


def test_auto_selects_the_first_available_engine(small: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"torch": True, "openvino": False, "onnxruntime": True, "cuda": False}
    monkeypatch.setattr(engines, "available", lambda: found)
    engine = engines.create("auto", small)
    assert engine.name == "torch"
    assert engine.details["chosen_by"] == "auto"


def test_details_record_the_folded_batch_norms(small: nn.Module, images: Tensor) -> None:
    engine = engines.create("torch", small, threads=torch.get_num_threads())
    engine(images)
    assert engine.details["batch_norms_folded"] == "1 of 2"
    assert engine.details["torch"] == torch.__version__


@pytest.mark.parametrize(
    ("name", "options", "message"),
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
def test_wrong_names_and_options_give_a_one_line_error(
    small: nn.Module, name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError) as error:
        engines.create(name, small, **options)  # type: ignore[arg-type]
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_error_names_the_missing_package(small: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in ("openvino", "onnx") else real(n, *a))
    with pytest.raises(InputError, match=r"needs the package openvino: pip install openvino"):
        engines.create("openvino", small)
    with pytest.raises(InputError, match="needs the package onnx: pip install onnx"):
        engines.create("onnxruntime", small)
    assert not engines.available()["openvino"]


def test_network_with_its_own_runtime_keeps_it(shared: Path) -> None:
    module = models.create(
        "onnx", shared / "weights/PFLD_GhostNet_Slim_112_1_opt_sim.onnx", kind="landmarks", unit="crop-fraction"
    )
    engine = engines.create("openvino", module, threads=1)
    assert engine.name == "onnxruntime (card)"
    assert engine.details["threads"] == 1
    images = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 112, 112), dtype=np.float32))
    assert check_engine(engine, module, images) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torch", "openvino", "onnxruntime"])
def test_hrnet_equals_mmpose_on_every_engine(require_engine: Callable[[str], None], shared: Path, name: str) -> None:
    require_engine(name)
    module = models.create("hrnetv2-w18", shared / "oracle/model/hrnetv2_w18_wflw_mm0.pth")
    with np.load(shared / "oracle/preproc/faces4.npz") as file:
        images = torch.from_numpy(file["input_tensor"])
    with np.load(shared / "oracle/model/outputs.npz") as file:
        expected = file["heatmaps"]
    found = engines.create(name, module)(images)["heatmaps"].numpy()
    assert float(np.abs(found - expected).max()) < 5e-6
