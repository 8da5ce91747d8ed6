"""Torch on the CPU: channels last, BatchNorm folded."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nmebench.engines.folding import fold_batch_norms
from nmebench.engines.interface import Engine

__all__ = ["TorchEngine"]


class TorchEngine(Engine):
    """Runs a copy of the network that is rearranged for the CPU's convolutions."""

    name = "torch"

    def __init__(self, module: nn.Module, *, threads: int | None = None) -> None:
        """Set the number of threads of the process; the first batch folds a copy of ``module``.

        Args:
            module: the network in eval mode; not changed.
            threads: number of threads of the complete process; None leaves it as it is.
        """
        if threads is not None and threads != torch.get_num_threads():
            torch.set_num_threads(threads)
        self._module = module
        self._folded: nn.Module | None = None
        self.details = {"torch": torch.__version__, "threads": torch.get_num_threads(), "layout": "channels last"}

    def prepare(self, images: Tensor) -> None:
        """Fold the BatchNorms into the convolutions, once."""
        self._network(images)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name as contiguous tensors, because decoders read one map at a time."""
        network = self._network(images)
        with torch.inference_mode():
            outputs = network(images.contiguous(memory_format=torch.channels_last))
            return {name: value.contiguous() for name, value in outputs.items()}

    def _network(self, images: Tensor) -> nn.Module:
        """The folded network; the first call folds it."""
        if self._folded is None:
            network, folded, total = fold_batch_norms(self._module, images)
            self._folded = network.to(memory_format=torch.channels_last)
            self.details["batch_norms_folded"] = f"{folded} of {total}"
        return self._folded
