"""The CUDA engine."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nmebench import engines
from nmebench.engines.interface import check_engine
from nmebench.errors import InputError


def test_error_without_a_cuda_device(small: nn.Module) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(InputError, match="finds no CUDA device"):
        engines.create("cuda", small)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_cuda_equals_plain_torch(small: nn.Module, images: Tensor, precision: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    engine = engines.create(f"cuda:precision={precision}", small)
    difference = check_engine(engine, small, images)
    assert engine.exact == (precision == "float32")
    assert difference < {"float32": 1e-4, "tf32": 1e-2, "bf16": 0.2}[precision]
    assert engine(images)["heatmaps"].is_cuda
