"""A network that is quick on any machine, as a file, as a card, and as arguments of ``nmebench.Model``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

NET = """
import torch
from torch import nn

GAIN = 3.0


class Net(nn.Module):
    def __init__(self, points=98):
        super().__init__()
        first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.stem = nn.Sequential(first, nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Conv2d(8, points, 3, stride=2, padding=1)
        self.gain = 1.0

    def forward(self, images):
        return self.head(self.stem(images)) * self.gain * GAIN
"""

CARD = """
name = "mine"
architecture = "python:net.py:Net"
weights = "net.safetensors"
[input]
size = [64, 64]
mean = [120, 110, 100]
std = [60, 61, 62]
[output]
grid = "half-pixel"
[test]
decoder = "dark"
flip = "flip"
[reported.wflw.paper]
nme = { test = 9.0 }
source = "a test"
tolerance = 0.01
"""

DESCRIBED: dict[str, Any] = {
    "input_size": (64, 64), "mean": (120, 110, 100), "std": (60, 61, 62), "output": "heatmaps", "grid": "half-pixel",
}  # fmt: skip
"""The card's input and output as arguments of ``nmebench.Model``."""


def import_file(file: Path, name: str) -> ModuleType:
    """Import a file as an ordinary module."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
