"""What an encoding does in training and for a card."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from harness import coordinates
from harness.errors import InputError
from models.card import Output

__all__ = ["Encoder"]


class Encoder(abc.ABC):
    """An encoding with its settings fixed."""

    needs: ClassVar[tuple[str, ...]]
    """Names of the network outputs that it is trained on."""

    @abc.abstractmethod
    def loss(self, outputs: Mapping[str, Tensor], landmarks: Tensor, *, size: int) -> Tensor:
        """The loss of a batch, a scalar.

        Args:
            outputs: of the network in training mode, by name.
            landmarks: ``[N, K, 2]`` float32, input px, on the CPU.
            size: side of the input, input px.
        """

    @abc.abstractmethod
    def decoder(self, size: int) -> str:
        """Spec of the decoder that reads the encoding, for inputs of ``size`` px."""

    @abc.abstractmethod
    def output(self) -> Output:
        """The ``[output]`` table of a card."""

    @property
    def crop(self) -> str:
        """The ``input.convention`` of a card: UDP maps are read together with a UDP crop."""
        return "udp" if self.output().grid == "udp" else "stride"

    def check(self, outputs: Mapping[str, Tensor], model: str) -> None:
        """Raise InputError where the network doesn't give what the encoding is trained on."""
        missing = [name for name in self.needs if name not in outputs]
        if missing:
            raise InputError(
                f"{model} gives {', '.join(outputs)}, and this encoding is trained on {', '.join(self.needs)}:"
                " change `model` or `encoding.kind`"
            )


def on_grid(landmarks: Tensor, *, grid: str, maps: tuple[int, int], size: int, device: torch.device) -> Tensor:
    """Landmarks ``[N, K, 2]`` input px (on the CPU) as heatmap px, float32 on ``device``; ``maps``: (width, height)."""
    points = coordinates.input_to_heatmap(
        landmarks.numpy(), convention=grid, heatmap_size=maps, input_size=(size, size)
    )
    return torch.from_numpy(points).to(device, torch.float32)
