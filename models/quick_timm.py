"""timm, imported without torch's compiler.

Importing timm imports ``torch._dynamo``, which takes as long as torch itself, for two reasons: torchvision names a
function that only ``roi_align`` calls, and one network of timm excludes a method from compilation. Nothing here
compiles a network with it. During the import, stand-ins take the place of both; each imports the compiler when it is
called.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

import torch

__all__ = ["timm"]

_COMPILER: Final = "torch._dynamo.utils"


def _stand_in() -> ModuleType:
    """A module that imports the real one for any name but ``is_compile_supported``, and for that one when called."""
    stand_in = ModuleType(_COMPILER)

    def real() -> ModuleType:
        if sys.modules.get(_COMPILER) is stand_in:
            del sys.modules[_COMPILER]
        return importlib.import_module(_COMPILER)

    def is_compile_supported(device_type: str) -> bool:
        return bool(real().is_compile_supported(device_type))

    def other(name: str) -> Any:
        if name.startswith("__"):  # asked by the import system
            raise AttributeError(name)
        return getattr(real(), name)

    stand_in.is_compile_supported = is_compile_supported  # type: ignore[attr-defined]
    stand_in.__getattr__ = other  # type: ignore[method-assign]
    return stand_in


def _disable_later(function: Callable[..., Any] | None = None, *args: Any, **options: Any) -> Any:
    """``torch.compiler.disable``, applied when the function is called first."""
    if function is None:
        return functools.partial(_disable_later, **options)

    @functools.cache
    def disabled() -> Callable[..., Any]:
        found: Callable[..., Any] = torch.compiler.disable(function, *args, **options)  # type: ignore[no-untyped-call]
        return found

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        return disabled()(*arguments, **named)

    return called


@contextmanager
def _without_compiler() -> Iterator[None]:
    if "torch._dynamo" in sys.modules or _COMPILER in sys.modules:
        yield
        return
    stand_in, disable = _stand_in(), torch.compiler.disable
    sys.modules[_COMPILER] = stand_in
    torch.compiler.disable = _disable_later  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compiler.disable = disable
        if sys.modules.get(_COMPILER) is stand_in:
            del sys.modules[_COMPILER]


with _without_compiler():
    timm = importlib.import_module("timm")
