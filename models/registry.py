"""The names of the networks: a read-only table, third-party entry points, and timm's own names.

A factory is a function with keyword-only options that returns an ``nn.Module``. It is imported when its
network is made. Three keyword names are reserved and filled in for the factory when it declares them:
``weights`` (a path: the factory reads the file itself), ``kind`` and ``unit`` (of a card's ``[output]``
table).
"""

from __future__ import annotations

import inspect
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

__all__ = [
    "REGISTRY",
    "TABLE",
    "Entry",
    "ModelInfo",
    "create",
    "describe",
    "factory",
    "names",
]

RESERVED = ("weights", "kind", "unit")


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a network's factory is, and what a list prints about it."""

    target: str
    """``module:factory``."""
    summary: str
    source: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What can be said about a registered network without making it."""

    name: str
    summary: str
    source: str
    options: Mapping[str, Any]
    """Option names with their defaults; ``inspect.Parameter.empty`` where one must be given."""


TABLE: Mapping[str, Entry] = MappingProxyType(
    {
        "hrnetv2-w18": Entry(
            "nmebench.models.hrnet:hrnetv2_w18",
            "HRNetV2-W18, four maps fused at stride 4, exactly as in mmpose and the official code",
            "Sun et al., High-Resolution Representations for Labeling Pixels and Regions, 2019",
        ),
        "heatmap-hrnet-small": Entry(
            "nmebench.models.timm_heatmap:hrnet_small",
            "timm hrnet_w18_small, four maps fused at stride 4",
            "Wang et al., Deep High-Resolution Representation Learning, 2020; timm",
        ),
        "heatmap-mobilenetv3": Entry(
            "nmebench.models.timm_heatmap:mobilenetv3",
            "timm mobilenetv3_small_100, maps at strides 4 to 32 fused at stride 4",
            "Howard et al., Searching for MobileNetV3, 2019; timm",
        ),
        "heatmap-resnet10-deconv": Entry(
            "nmebench.models.timm_heatmap:resnet10_deconv",
            "a slim timm resnet10t and three deconvolutions",
            "Xiao et al., Simple Baselines for Human Pose Estimation, 2018; timm",
        ),
        "regression": Entry(
            "nmebench.models.regression:regression",
            "a timm backbone, global average pool and one linear layer to coordinates",
            "Toshev and Szegedy, DeepPose, 2014; mmpose 0.x deeppose_regression_head.py",
        ),
        "onnx": Entry("nmebench.models.onnx:onnx", "an ONNX network that gives heatmaps or landmarks", "ONNX Runtime"),
        "oracle": Entry(
            "nmebench.models.oracle:oracle",
            "ideal heatmaps drawn from the ground truth: what a decoder loses by itself",
            "unbiased Gaussians of Zhang et al., Distribution-Aware Coordinate Representation, 2020",
        ),
    }
)


REGISTRY = Registry(
    "model", {name: entry.target for name, entry in TABLE.items()}, group="nmebench.models", error=ModelError
)
"""Built-in networks, and the entry-point group of third-party ones: ``name = "module:factory"``."""


def names() -> list[str]:
    """All registered names, third-party ones included, sorted; timm's backbones (``timm:NAME``) come on top."""
    return sorted(REGISTRY.names())


def _from_timm(name: str) -> Callable[..., nn.Module] | None:
    """The heatmap network on timm's backbone ``name`` (``timm:`` may be left out), if timm has it."""
    import timm

    backbone = name.removeprefix("timm:")
    if not timm.is_model(backbone):
        if name.startswith("timm:"):
            raise ModelError(f"timm has no backbone {backbone!r}{did_you_mean(backbone, timm.list_models())}")
        return None
    from nmebench.models.timm_heatmap import bound

    return bound(backbone)


def factory(name: str) -> Callable[..., nn.Module]:
    """The function that makes the network ``name``.

    Raises:
        ModelError: nothing registered, installed or known to timm has this name.
    """
    if name not in REGISTRY:
        backbone = _from_timm(name)
        if backbone is not None:
            return backbone
    found: Callable[..., nn.Module] = REGISTRY.load(name).value
    return found


def _options(make: Callable[..., nn.Module]) -> dict[str, Any]:
    parameters = inspect.signature(make).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in RESERVED and p.kind is not p.VAR_KEYWORD}


def accepts(make: Callable[..., nn.Module], option: str) -> bool:
    """Whether a factory declares ``option``."""
    return option in inspect.signature(make).parameters


def describe(name: str) -> ModelInfo:
    """Summary, source and options of a network, without making it.

    Raises:
        ModelError: an unknown name.
    """
    make = factory(name)
    entry = TABLE.get(name)
    summary = entry.summary if entry else (inspect.getdoc(make) or name).splitlines()[0]
    source = entry.source if entry else make.__module__
    return ModelInfo(name, summary, source, MappingProxyType(_options(make)))


def create(name: str, weights: str | Path | None = None, **options: Any) -> nn.Module:
    """Make a network in eval mode, from ``[N, 3, H, W]`` to a dictionary of named outputs.

    Args:
        name: a registered name, or a timm backbone's (``timm:resnet18``, ``resnet18``).
        weights: a checkpoint (see ``nmebench.models.checkpoint``), or what the network reads itself (``onnx``).
        **options: the network's own; ``describe(name).options`` lists them.

    Raises:
        ModelError: an unknown name or option, or a value that the network refuses.
        CheckpointError: weights that can't be loaded, or that are for another network.
    """
    make = factory(name)
    known = {**_options(make), **{r: None for r in RESERVED if accepts(make, r)}}
    for option in options:
        if option not in known or option == "weights":
            listed = [k for k in known if k != "weights"]
            text = f"it takes {', '.join(listed)}" if listed else "it takes none"
            raise ModelError(f"model {name!r} has no option {option!r}{did_you_mean(option, listed)}; {text}")
    reads_itself = accepts(make, "weights")
    try:
        module = make(**options, **({"weights": weights} if reads_itself else {}))
    except ModelError:
        raise
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{k}={v!r}" for k, v in options.items())
        raise ModelError(f"model {name!r} can't be made with {given or 'its defaults'}: {error}") from error
    if weights is not None and not reads_itself:
        from nmebench.models.checkpoint import load

        load(module, weights)
    return module.eval()
