"""The check of an engine against plain torch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nmebench.engines.interface import Engine, check_engine
from nmebench.errors import InputError


class _WrongEngine(Engine):
    """An engine that changes the outputs of plain torch."""

    name = "wrong"

    def __init__(self, module: nn.Module, change: Callable[[Tensor], Tensor], *, key: str = "heatmaps") -> None:
        self.module, self.change, self.key = module, change, key
        self.details = {}

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        with torch.inference_mode():
            return {self.key: self.change(self.module(images)["heatmaps"])}


def test_check_engine_returns_the_largest_difference(small: nn.Module, images: Tensor) -> None:
    assert check_engine(_WrongEngine(small, lambda h: h), small, images) == 0
    assert check_engine(_WrongEngine(small, lambda h: h + 5e-5), small, images) == pytest.approx(5e-5, rel=0.05)
    inexact = _WrongEngine(small, lambda h: h + 1)
    inexact.exact = False
    assert check_engine(inexact, small, images) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        pytest.param(lambda h: h + 1, "heatmaps", "differs from plain torch by 1 in heatmaps", id="wrong values"),
        pytest.param(lambda h: h * float("nan"), "heatmaps", "differs from plain torch by nan", id="NaN"),
        pytest.param(lambda h: h[1:], "heatmaps", "gives heatmaps [2, 5, 16, 24]", id="too few faces"),
        pytest.param(lambda h: h, "maps", "gives ['maps'], the network gives ['heatmaps']", id="wrong name"),
    ],
)
def test_check_engine_refuses_wrong_outputs(
    small: nn.Module, images: Tensor, change: Callable[[Tensor], Tensor], key: str, message: str
) -> None:
    with pytest.raises(InputError) as error:
        check_engine(_WrongEngine(small, change, key=key), small, images)
    assert message in str(error.value)
