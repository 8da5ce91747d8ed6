"""Training checkpoints: the weights, their average, the optimiser and the number of completed steps.

A checkpoint holds no random state, because every random number of a run is a function of the seed and the step. A run
that was killed and resumed therefore ends with the same bits as an uninterrupted one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nmebench.errors import InputError
from nmebench.files import atomic_writer
from nmebench.models.checkpoint_file import check_file
from nmebench.printable import shown

__all__ = ["Average", "load", "save"]


class Average:
    """Exponential moving average of a network's floating-point state, BatchNorm's running statistics included.

    The decay is ``min(decay, (1 + n) / (10 + n))`` after n updates, which soon forgets the random
    start (as in ``tf.train.ExponentialMovingAverage`` with ``num_updates``). With ``decay = 0`` the average equals the
    network.
    """

    def __init__(self, module: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.values = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, *, whole: bool = False) -> None:
        """Add the current state of the network to the average; ``whole`` replaces the average by it."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, value in module.state_dict().items():
            if self.decay and not whole and value.is_floating_point():
                self.values[name].lerp_(value, 1 - decay)
            else:
                self.values[name].copy_(value)


def save(
    path: Path, *, recipe: str, step: int, module: nn.Module, average: Average, optimiser: torch.optim.Optimizer
) -> None:
    """Write a checkpoint atomically."""
    state = {
        "recipe": recipe,
        "step": step,
        "module": module.state_dict(),
        "average": average.values,
        "updates": average.updates,
        "optimiser": optimiser.state_dict(),
    }
    with atomic_writer(path) as file:
        torch.save(state, file)


def load(
    path: Path,
    *,
    recipe: str,
    module: nn.Module,
    average: Average,
    optimiser: torch.optim.Optimizer,
    device: torch.device,
) -> int:
    """Load a checkpoint into the network, the average and the optimiser; return the number of completed steps.

    Raises:
        InputError: the file is damaged, or another recipe wrote it.
    """
    try:
        # weights_only: a checkpoint is read as data and can't run code.
        state: Mapping[str, Any] = _read(path, device)
        if state["recipe"] != recipe:
            raise InputError(f"{path} was made by another recipe: give another output folder")
        module.load_state_dict(state["module"])
        optimiser.load_state_dict(state["optimiser"])
        values: Mapping[str, Tensor] = state["average"]
        for name, value in average.values.items():
            value.copy_(values[name])
        average.updates = int(state["updates"])
        return int(state["step"])
    except InputError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def _read(path: Path, device: torch.device) -> Any:
    """Return the content of a checkpoint's file."""
    check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damage, which the error states
            return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # damaged files make torch's reader raise errors of any class
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return InputError(
        f"{shown(path)} can't be read as a checkpoint of this run ({reason[:200]}): delete it to train from the start"
    )
