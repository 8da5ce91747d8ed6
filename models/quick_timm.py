"""timm, imported without what most of its networks never use.

* ``torch._dynamo``, torch's compiler, takes as long as torch itself. One network of timm excludes a method from
  compilation. Nothing here compiles a network with it.
* ``torchvision`` and ``huggingface_hub`` take as long as the rest of timm. timm uses one class and two functions of
  torchvision, and the hub for downloads; :mod:`timm.data` also reads images with torchvision, while timm's networks
  need only its constants.

During the import, stand-ins take the place of these modules. Their functions and classes import the real module when
they are called, and the real module is imported as usual afterwards.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import MappingProxyType, ModuleType
from typing import Any, Final

import torch

__all__ = ["timm"]

_COMPILER: Final = "torch._dynamo"


def _real(module: str, name: str) -> Any:
    """A name of the real module, which is imported."""
    if isinstance(sys.modules.get(module), _StandIn):
        del sys.modules[module]
    return getattr(importlib.import_module(module), name)


def _function(module: str, name: str) -> Callable[..., Any]:
    """A function that imports the real one when it is called."""

    def function(*args: Any, **options: Any) -> Any:
        return _real(module, name)(*args, **options)

    function.__name__ = function.__qualname__ = name
    return function


class _LaterClass(type):
    """The type of a class that imports the real one when it is called. Instances of the real one are its instances."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        return _real(cls.__module__, cls.__name__)(*args, **options)

    def __instancecheck__(cls, instance: object) -> bool:
        return cls.__subclasscheck__(type(instance))

    def __subclasscheck__(cls, subclass: type) -> bool:
        return cls.__module__ in sys.modules and issubclass(subclass, _real(cls.__module__, cls.__name__))


def _class(module: str, name: str) -> type:
    return _LaterClass(name, (), {"__module__": module})


def _constant(module: str, name: str) -> Any:
    """A constant of a package, from its module ``constants``."""
    return getattr(importlib.import_module(f"{module}.constants"), name)


_DATA_CONSTANTS: Final = (
    "DEFAULT_CROP_MODE",
    "DEFAULT_CROP_PCT",
    "IMAGENET_DEFAULT_MEAN",
    "IMAGENET_DEFAULT_STD",
    "IMAGENET_DPN_MEAN",
    "IMAGENET_DPN_STD",
    "IMAGENET_INCEPTION_MEAN",
    "IMAGENET_INCEPTION_STD",
    "OPENAI_CLIP_MEAN",
    "OPENAI_CLIP_STD",
)

_STAND_INS: Final[Mapping[str, Mapping[str, Callable[[str, str], Any]]]] = MappingProxyType(
    {
        "timm.data": dict.fromkeys(_DATA_CONSTANTS, _constant),
        "timm.models._hub": dict.fromkeys(
            (
                "check_cached_file",
                "download_cached_file",
                "has_hf_hub",
                "load_custom_from_hf",
                "load_model_config_from_hf",
                "load_model_config_from_path",
                "load_state_dict_from_hf",
                "load_state_dict_from_path",
                "push_to_hf_hub",
                "save_for_hf",
            ),
            _function,
        ),
        "torch._dynamo.utils": {"is_compile_supported": _function},  # torchvision's roi_align calls it
        "torchvision.models.feature_extraction": dict.fromkeys(
            ("create_feature_extractor", "get_graph_node_names"), _function
        ),
        "torchvision.ops.misc": {"FrozenBatchNorm2d": _class},
    }
)
"""The function that makes the stand-in of a name, by module. Any other name imports the real module."""


class _StandIn(ModuleType):
    """A module with the names of ``_STAND_INS`` until the real one is imported."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by the import system
            raise AttributeError(name)
        make = _STAND_INS[self.__name__].get(name)
        if make is None or sys.modules.get(self.__name__) is not self:
            return _real(self.__name__, name)
        return make(self.__name__, name)


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
def _stand_ins() -> Iterator[None]:
    """Stand-ins for the modules that aren't imported yet."""
    absent = [name for name in _STAND_INS if name not in sys.modules]
    for name in absent:
        sys.modules[name] = _StandIn(name)
    timm_itself = PathFinder.find_spec("timm")
    if timm_itself is not None and "timm.data" in absent:  # a package, in which the constants are found
        data = PathFinder.find_spec("timm.data", timm_itself.submodule_search_locations)
        sys.modules["timm.data"].__path__ = (data and data.submodule_search_locations) or []
    disable = torch.compiler.disable
    if _COMPILER not in sys.modules:
        torch.compiler.disable = _disable_later  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compiler.disable = disable
        for name in absent:
            if isinstance(sys.modules.get(name), _StandIn):
                del sys.modules[name]


def _import() -> ModuleType:
    if "timm" in sys.modules:
        return sys.modules["timm"]
    with _stand_ins():
        imported = importlib.import_module("timm")

    def data(name: str) -> ModuleType:
        if name != "data":
            raise AttributeError(f"module 'timm' has no attribute {name!r}")
        return importlib.import_module("timm.data")

    if not hasattr(imported, "data"):
        imported.__getattr__ = data  # type: ignore[method-assign]
    return imported


timm = _import()
