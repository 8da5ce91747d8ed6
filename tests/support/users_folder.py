"""A user's folder with a network of its own and its card, for the tests of own code."""

from __future__ import annotations

from pathlib import Path

#: A folder of the user that has the name of one of ours.
PACKAGE = "models"

NET = f"""
import torch
from torch import nn

from {PACKAGE}.backbone import stem
from constants import GAIN


class MyNet(nn.Module):
    def __init__(self, points=98, gain=1.0):
        super().__init__()
        self.points, self.gain = points, gain

    def forward(self, x):
        level = stem(x).mean((2, 3))[:, :1].tanh()
        return 0.2 + 0.1 * GAIN * self.gain + 0.01 * level * torch.linspace(0.2, 0.8, self.points * 2)


def make(**options):
    return MyNet(**options)
"""

FILES = {
    "net.py": NET,
    f"{PACKAGE}/backbone.py": "SCALE = 0.5\n\n\ndef stem(x):\n    return x * SCALE\n",
    "constants.py": "GAIN = 1.0\n",
}

CARD = """
name = "mine"
architecture = "{architecture}"
{extra}
[input]
size = [64, 64]
[output]
kind = "landmarks"
unit = "crop-fraction"
"""


def write(folder: Path, files: dict[str, str], architecture: str = "python:net.py:MyNet", extra: str = "") -> Path:
    """Write a user's folder and its card; the card's path."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "card.toml").write_text(CARD.format(architecture=architecture, extra=extra))
    return folder / "card.toml"


HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n\nclass MyNet(nn.Module):\n"
OUT = "x.mean((2, 3))[:, :1].expand(-1, 196)"


def forward(line: str, head: str = HEAD) -> str:
    return f"{head}    def forward(self, x):\n        {line}\n"


def constructor(line: str) -> str:
    return f"{HEAD}    def __init__(self):\n        super().__init__()\n        {line}\n"
