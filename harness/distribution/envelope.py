"""Calls on a worker as bytes: Dask's scheduler, which unpickles a task, needs to import nothing but this file."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Raised", "call", "seal"]


@dataclass(frozen=True)
class Raised:
    """An exception on a worker as text, because the driver may lack its class, and not every exception is pickled."""

    kind: str
    """Name of the class."""
    message: str
    is_input_error: bool
    """True for an :class:`nmebench.errors.InputError`."""
    trace: str
    """The last frames, for ``--debug``."""


def seal(function: Callable[..., Any], *arguments: Any) -> bytes:
    """Return a call as bytes for :func:`call`."""
    import cloudpickle

    return bytes(cloudpickle.dumps((function, arguments)))


def call(sealed: bytes) -> Any:
    """Make a call that the driver has sealed; an exception is returned as :class:`Raised`."""
    import pickle

    try:
        function, arguments = pickle.loads(sealed)  # noqa: S301 - Dask unpickles what its clients send in any case
        return function(*arguments)
    except Exception as error:
        from nmebench.errors import InputError

        trace = "".join(traceback.format_exception(error, limit=-5))
        return Raised(type(error).__name__, str(error), isinstance(error, InputError), trace[-4000:])
