"""Torch on the CPU: channels last, BatchNorm folded."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nmebench.engines.folding import fold_batch_norms
from nmebench.engines.interface import Engine

__all__ = ["TorchEngine"]


class TorchEngine(Engine):
    """The network itself, rearranged for the CPU's convolutions. ``threads`` is the whole process's."""

    name = "torch"

    def __init__(self, module: nn.Module, *, threads: int | None = None) -> None:
        """The network is folded with the first batch, when its input is known; ``module`` isn't changed."""
        if threads is not None and threads != torch.get_num_threads():
            torch.set_num_threads(threads)
        self._given: nn.Module | None = module
        self._folded: nn.Module = module
        self.details = {"torch": torch.__version__, "threads": torch.get_num_threads(), "layout": "channels last"}

    def prepare(self, images: Tensor) -> None:
        """Fold what can be folded."""
        if self._given is None:
            return
        self._folded, folded, total = fold_batch_norms(self._given, images)
        self._folded = self._folded.to(memory_format=torch.channels_last)
        self.details["batch_norms_folded"] = f"{folded} of {total}"
        self._given = None

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Outputs by name, in the ordinary layout: decoders read a map at a time."""
        self.prepare(images)
        with torch.inference_mode():
            outputs = self._folded(images.contiguous(memory_format=torch.channels_last))
            return {name: value.contiguous() for name, value in outputs.items()}
