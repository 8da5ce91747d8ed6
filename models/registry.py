"""Networks by name: the built-in table, other distributions' entry points, and timm's backbones.

A name stands for a factory: a class or function with keyword-only options that returns an ``nn.Module``. The factory is
imported when its network is created or described. Some option names are reserved, and
:func:`nmebench.models.build_network.build` sets them for a factory that declares them: ``weights`` (a path; the factory
reads the file itself), ``output`` (a card's ``[output]`` table), ``kind``, ``unit``, ``layout`` and ``grid`` (fields of
that table), and ``image_layout`` (the card's ``[input] layout``). Code of the user's (``python:``) has no reserved
options.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nmebench.models.errors import ModelError
from nmebench.registry import Registry
from nmebench.suggest import did_you_mean

if TYPE_CHECKING:
    from torch import nn

__all__ = ["REGISTRY", "ModelInfo", "accepts", "create", "describe", "factory", "names"]

REGISTRY = Registry(
    "model",
    {
        "hrnetv2-w18": "nmebench.models.hrnet:HRNetV2",
        "heatmap-hrnet-small": "nmebench.models.timm_heatmap:hrnet_small",
        "heatmap-mobilenetv3": "nmebench.models.timm_heatmap:mobilenetv3",
        "heatmap-resnet10-deconv": "nmebench.models.timm_heatmap:resnet10_deconv",
        "offset-mobilenetv3": "nmebench.models.timm_offset:mobilenetv3",
        "simcc-mobilenetv3": "nmebench.models.timm_simcc:mobilenetv3",
        "h3r-mobilenetv2": "nmebench.models.h3r_mobilenetv2:H3RMobileNetV2",
        "regression": "nmebench.models.regression:Regression",
        "onnx": "nmebench.models.onnx:OnnxNetwork",
        "oracle": "nmebench.models.oracle:Oracle",
    },
    group="nmebench.models",
    error=ModelError,
)
"""Built-in networks, and the entry-point group of third-party ones: ``name = "module:factory"``."""

_RESERVED_OPTIONS = ("weights", "output", "image_layout", "kind", "unit", "layout", "grid")

#: The paragraph of a factory's docstring that cites where the network comes from.
_SOURCE = re.compile(r"^Source: (.+?)\.?\s*(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The description of a registered network."""

    name: str
    summary: str
    """First line of the factory's docstring."""
    source: str
    """The docstring's ``Source:`` paragraph; the factory's module where there is none."""
    options: Mapping[str, Any]
    """Option names with their defaults; ``inspect.Parameter.empty`` for a required option."""


def names() -> list[str]:
    """Return all registered names, third-party ones included, sorted. timm's backbones are not listed."""
    return sorted(REGISTRY.names())


def factory(name: str, folder: Path | None = None) -> Callable[..., nn.Module]:
    """Return the callable that creates the network ``name``.

    Args:
        name: a registered name, the name of a timm backbone with or without ``timm:``, or code of the user's
            (``python:net.py:MyNet``, :mod:`nmebench.models.python_code`), which is imported.
        folder: the card's folder, in which the user's code is found; None for the working directory.

    Raises:
        ModelError: the name is neither registered nor a timm backbone, or the user's code can't be imported.
    """
    if name.startswith("python:"):
        from nmebench.models.python_code import PythonCode

        return PythonCode(name, folder)
    if name.startswith("memory:"):
        raise ModelError(f"{name} was in memory when it was measured; give the module itself to nmebench.run")
    if name not in REGISTRY:
        from_timm = _timm_factory(name)
        if from_timm is not None:
            return from_timm
    found: Callable[..., nn.Module] = REGISTRY.load(name).value
    return found


def accepts(make: Callable[..., nn.Module], option: str) -> bool:
    """Return whether a factory declares ``option``."""
    return option in inspect.signature(make).parameters


def has_reserved_options(make: Callable[..., nn.Module]) -> bool:
    """Return whether the reserved option names have their meaning; in a user's own code they are options like any."""
    return bool(getattr(make, "has_reserved_options", True))


def reads_weights(make: Callable[..., nn.Module]) -> bool:
    """Return whether a factory reads the weights file itself."""
    return has_reserved_options(make) and accepts(make, "weights")


def describe(name: str) -> ModelInfo:
    """Return a network's summary, source and options without creating the network.

    Raises:
        ModelError: the name is unknown.

    Example:
        >>> dict(describe("hrnetv2-w18").options)
        {'points': 98, 'fusion': 'bilinear'}
    """
    make = factory(name)
    text = inspect.getdoc(make) or name
    source = _SOURCE.search(text)
    return ModelInfo(
        name=name,
        summary=text.partition("\n")[0],
        source=" ".join(source[1].replace("``", "").split()) if source else make.__module__,
        options=MappingProxyType(_options(make)),
    )


def create(name: str, weights: str | Path | None = None, **options: Any) -> nn.Module:
    """Create a network in eval mode, from images ``[N, 3, H, W]`` to a dictionary of named outputs.

    Args:
        name: a registered name, or the name of a timm backbone (``timm:resnet18``, ``resnet18``).
        weights: a checkpoint (see :mod:`nmebench.models.checkpoint`), or the file that the network reads itself
            (``onnx``); None leaves random weights.
        **options: the network's own options; ``describe(name).options`` lists them.

    Raises:
        ModelError: the name or an option is unknown, or the network refuses a value.
        CheckpointError: the weights can't be loaded, or belong to another network.

    Example:
        >>> import torch
        >>> oracle = create("oracle", sigma=1.5)
        >>> oracle(torch.tensor([[[128.0, 64.0]]]))["heatmaps"].shape  # one face with one landmark
        torch.Size([1, 1, 64, 64])
    """
    make = factory(name)
    module = call_factory(name, make, weights, options)
    if weights is not None and not reads_weights(make):
        from nmebench.models.checkpoint import load

        load(module, weights, own_code=not has_reserved_options(make))
    return module


def call_factory(
    name: str, make: Callable[..., nn.Module], weights: str | Path | None, options: Mapping[str, Any]
) -> nn.Module:
    """Call a factory and return the network in eval mode.

    Args:
        name: the network's name, for messages.
        make: the factory.
        weights: the file for a factory that reads it itself; ignored by any other.
        options: its options.

    Raises:
        ModelError: an option is unknown, or the factory refuses a value.
    """
    reserved = [option for option in _RESERVED_OPTIONS if accepts(make, option)]
    allowed = [option for option in dict.fromkeys([*_options(make), *reserved]) if option != "weights"]
    if not has_reserved_options(make) and "weights" in reserved:
        allowed.append("weights")
    anything = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(make).parameters.values())
    for option in options:
        if option not in allowed and not anything:
            text = f"it takes {', '.join(allowed)}" if allowed else "it takes none"
            raise ModelError(f"model {name!r} has no option {option!r}{did_you_mean(option, allowed)}; {text}")
    try:
        module = make(**options, **({"weights": weights} if reads_weights(make) else {}))
    except ModelError:
        raise
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise ModelError(f"model {name!r} can't be made with {given or 'its defaults'}: {error}") from error
    return module.eval()


def _timm_factory(name: str) -> Callable[..., nn.Module] | None:
    """The factory for the timm backbone ``name`` (with or without ``timm:``); None if timm has no such backbone."""
    from nmebench.models.quick_timm import timm

    backbone = name.removeprefix("timm:")
    if not timm.is_model(backbone):
        if name.startswith("timm:"):
            raise ModelError(f"timm has no backbone {backbone!r}{did_you_mean(backbone, timm.list_models())}")
        return None
    from nmebench.models.timm_heatmap import backbone_factory

    return backbone_factory(backbone)


def _options(make: Callable[..., nn.Module]) -> dict[str, Any]:
    """The declared options of a factory with their defaults, without the reserved ones."""
    parameters = inspect.signature(make).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in _RESERVED_OPTIONS and p.kind is not p.VAR_KEYWORD}
