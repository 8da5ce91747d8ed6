"""The interface of an encoding: its loss in training, and the fields of a card that depend on it."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from nmebench.errors import InputError
from nmebench.geometry import Geometry
from nmebench.models.card import Output
from nmebench.protocol import CropConvention, Grid

__all__ = ["Encoder"]


class Encoder(abc.ABC):
    """Base class of encodings; an instance has its settings fixed."""

    needs: ClassVar[tuple[str, ...]]
    """Names of the network outputs that are trained."""

    @abc.abstractmethod
    def loss(self, outputs: Mapping[str, Tensor], landmarks: Tensor, *, size: int) -> Tensor:
        """Return the loss of a batch, a scalar.

        Args:
            outputs: of the network in training mode, by name.
            landmarks: ``[N, K, 2]`` float32, input px, on the CPU.
            size: side of the input, input px.
        """

    @abc.abstractmethod
    def decoder(self, size: int) -> str:
        """Return the spec of the decoder that reads the encoding, for inputs of ``size`` px."""

    @abc.abstractmethod
    def output(self) -> Output:
        """Return the ``[output]`` table of a card."""

    @property
    def crop_convention(self) -> CropConvention:
        """The ``input.convention`` of a card: maps on the UDP grid go with a UDP crop."""
        return "udp" if self.output().grid == "udp" else "stride"

    def check(self, outputs: Mapping[str, Tensor], model: str) -> None:
        """Check that the network has the outputs that the encoding trains.

        Raises:
            InputError: an output is missing.
        """
        missing = [name for name in self.needs if name not in outputs]
        if missing:
            raise InputError(
                f"{model} outputs {', '.join(outputs)}, but this encoding trains {', '.join(self.needs)}; "
                "change `model` or `encoding.kind`"
            )


def on_grid(landmarks: Tensor, *, grid: Grid, maps: tuple[int, int], size: int, device: torch.device) -> Tensor:
    """Return landmarks ``[N, K, 2]`` in input px (on the CPU) as heatmap px, float32 on ``device``.

    ``maps`` is the (width, height) of the heatmaps.
    """
    points = Geometry.of_input((size, size), grid=grid, heatmap_size=maps).input_to_heatmap(landmarks.numpy())
    return torch.from_numpy(points).to(device, torch.float32)
