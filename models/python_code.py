"""Networks from a user's own Python code: ``python:net.py:MyNet`` or ``python:my_package.net:MyNet``.

The code runs as any imported module does, so a card that names code is as safe as running that code. Whatever it
raises, an attempt to end the process included, becomes one :class:`~nmebench.models.errors.ModelError` that names the
network, the step, the exception and the line.
"""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nmebench.models.errors import ModelError
from nmebench.own_code import MAX_TEXT, PREFIX, OwnCode, described
from nmebench.own_code import own_errors as errors_of_own_code

__all__ = ["MAX_TEXT", "PREFIX", "PythonCode", "described", "own_errors"]

_FORM = 'write "python:net.py:MyNet" (a file relative to the card) or "python:my_package.net:MyNet"'


class PythonCode(OwnCode):
    """The class or function that an architecture ``python:...`` names; calling it makes the network.

    A file is found relative to the card, and its imports in the file's folder, in the folder above its package and in
    the card's folder. A dotted name is found in the card's folder, in the working directory, or among the installed
    packages, in this order.
    """

    has_reserved_options = False
    """The options are the code's own, whatever their names are."""

    def __init__(self, architecture: str, folder: Path | None = None) -> None:
        """Find the code and import it.

        Args:
            architecture: ``python:FILE.py:NAME`` or ``python:MODULE:NAME``.
            folder: the card's folder; None for the working directory.

        Raises:
            ModelError: the name has another form, the code is missing, or it can't be imported.
        """
        super().__init__(architecture, (folder or Path()).absolute(), form=_FORM, error=ModelError)
        self.architecture = architecture
        self.__doc__ = inspect.getdoc(self.target)
        self.__module__ = str(getattr(self.target, "__module__", self.module.__name__))

    @cached_property
    def __signature__(self) -> inspect.Signature:
        """The parameters of the class or function; any option is allowed if Python can't tell them."""
        try:
            return inspect.signature(self.target)
        except (TypeError, ValueError):
            anything = inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD)
            return inspect.Signature([anything])

    def __call__(self, **options: Any) -> nn.Module:
        """Make the network on the CPU, from the same random numbers each time.

        Raises:
            ModelError: the code fails, or gives something else than an ``nn.Module``.
        """
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        step = f"{getattr(self.target, '__name__', 'the call')}({given})"
        with own_errors(self.architecture, step), self.active(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = self.target(**options)
        if not isinstance(module, nn.Module):
            raise ModelError(f"{self.architecture} gives a {type(module).__name__}, not a torch.nn.Module")
        if self.folder is not None:
            self.folder.run_inside(module)
        return module.to("cpu")


def own_errors(network: str, step: str) -> AbstractContextManager[None]:
    """Turn whatever a network's code raises inside the block into a one-line error.

    Args:
        network: name of the network for the message.
        step: what the code was doing: ``import``, a call, ``forward``.

    Raises:
        ModelError: the block raised an exception or SystemExit; a ModelError or MemoryError passes unchanged.
    """
    return errors_of_own_code(network, step, ModelError)
