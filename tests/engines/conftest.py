"""Small networks and images for the engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nmebench import engines


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of converted networks, empty for each test."""
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


@pytest.fixture(scope="session")
def require_engine() -> Callable[[str], None]:
    """``require_engine(name)`` skips the test if the engine can't run on this machine."""

    def require(name: str) -> None:
        if not engines.available()[name]:
            pytest.skip(f"engine {name} can't run on this machine")

    return require


@pytest.fixture(scope="session")
def randomise() -> Callable[[nn.Module], nn.Module]:
    """``randomise(module)`` sets BatchNorms and the last layer so that leaving one out changes the outputs."""

    def change(module: nn.Module) -> nn.Module:
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

    return change


class Tiny(nn.Module):
    """A network with one BatchNorm after a convolution and one after a sum; heatmaps of stride 4."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.down = nn.Conv2d(8, 5, 3, 2, 1)
        self.norm = nn.BatchNorm2d(5)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.down(self.stem(images))
        return {"heatmaps": self.norm(maps + maps.relu())}


@pytest.fixture(scope="session")
def small(randomise: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """:class:`Tiny` with random weights and BatchNorms."""
    return randomise(Tiny().eval())


@pytest.fixture(scope="session")
def images() -> Tensor:
    """Three random images ``[3, 3, 64, 96]``."""
    return torch.randn(3, 3, 64, 96, generator=torch.Generator().manual_seed(0))
