"""The names of the networks: a read-only table, third-party entry points, and timm's own names.

A factory is a function with keyword-only options that returns an ``nn.Module``. It is imported when its
network is made. Three keyword names are reserved and filled in for the factory when it declares them:
``weights`` (a path: the factory reads the file itself), ``kind`` and ``unit`` (of a card's ``[output]``
table).
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from models.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "ENTRY_POINT_GROUP",
    "TABLE",
    "Entry",
    "ModelInfo",
    "create",
    "describe",
    "factory",
    "names",
    "near",
]

ENTRY_POINT_GROUP = "nmebench.models"
"""Packages register further networks here: ``name = "module:factory"``."""

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
            "models.hrnet:hrnetv2_w18",
            "HRNetV2-W18, four maps fused at stride 4, exactly as in mmpose and the official code",
            "Sun et al., High-Resolution Representations for Labeling Pixels and Regions, 2019",
        ),
        "heatmap-hrnet-small": Entry(
            "models.timm_heatmap:hrnet_small",
            "timm hrnet_w18_small, four maps fused at stride 4",
            "Wang et al., Deep High-Resolution Representation Learning, 2020; timm",
        ),
        "heatmap-mobilenetv3": Entry(
            "models.timm_heatmap:mobilenetv3",
            "timm mobilenetv3_small_100, maps at strides 4 to 32 fused at stride 4",
            "Howard et al., Searching for MobileNetV3, 2019; timm",
        ),
        "heatmap-resnet10-deconv": Entry(
            "models.timm_heatmap:resnet10_deconv",
            "a slim timm resnet10t and three deconvolutions",
            "Xiao et al., Simple Baselines for Human Pose Estimation, 2018; timm",
        ),
        "offset-mobilenetv3": Entry(
            "models.timm_offset:mobilenetv3",
            "heatmap-mobilenetv3 with two offset maps for each heatmap",
            "Huang et al., The Devil is in the Details (UDP), 2020, section 4; timm",
        ),
        "simcc-mobilenetv3": Entry(
            "models.timm_simcc:mobilenetv3",
            "timm mobilenetv3_small_100 and one distribution for each axis of a landmark",
            "Li et al., SimCC, 2022; mmpose 1.x simcc_head.py; timm",
        ),
        "regression": Entry(
            "models.regression:regression",
            "a timm backbone, global average pool and one linear layer to coordinates",
            "Toshev and Szegedy, DeepPose, 2014; mmpose 0.x deeppose_regression_head.py",
        ),
        "onnx": Entry("models.onnx:onnx", "an ONNX network that gives heatmaps or landmarks", "ONNX Runtime"),
        "oracle": Entry(
            "models.oracle:oracle",
            "ideal heatmaps drawn from the ground truth: what a decoder loses by itself",
            "unbiased Gaussians of Zhang et al., Distribution-Aware Coordinate Representation, 2020",
        ),
    }
)


def _installed() -> dict[str, Any]:
    """Third-party networks by name. A package can't replace a network of this project."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name not in TABLE}


def names() -> list[str]:
    """All registered names, third-party ones included, sorted; timm's (``timm:NAME``) are beside these."""
    return sorted({*TABLE, *_installed()})


def near(word: str, allowed: list[str]) -> str:
    """``" (did you mean 'x'?)"`` for the name in ``allowed`` that is nearest to ``word``, or nothing."""
    match = difflib.get_close_matches(word.lower(), allowed, n=1, cutoff=0.5)
    return f" (did you mean {match[0]!r}?)" if match else ""


def _from_timm(name: str) -> Callable[..., nn.Module] | None:
    """The heatmap network on timm's backbone ``name`` (``timm:`` may be left out), if timm has it."""
    import timm

    backbone = name.removeprefix("timm:")
    if not timm.is_model(backbone):
        if name.startswith("timm:"):
            raise ModelError(f"timm has no backbone {backbone!r}{near(backbone, timm.list_models())}")
        return None
    from models.timm_heatmap import bound

    return bound(backbone)


def _imported(name: str, target: str) -> Callable[..., nn.Module]:
    module, _, attribute = target.partition(":")
    try:
        found: Callable[..., nn.Module] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ModelError(f"model {name!r} can't be imported from {target!r}: {error}") from error
    return found


def factory(name: str) -> Callable[..., nn.Module]:
    """The function that makes the network ``name``.

    Raises:
        ModelError: nothing registered, installed or known to timm has this name.
    """
    if name in TABLE:
        return _imported(name, TABLE[name].target)
    installed = _installed()
    if name in installed:
        return _imported(name, installed[name].value)
    found = _from_timm(name)
    if found is None:
        hint = near(name, names())
        raise ModelError(f"no model is called {name!r}{hint}; known: {', '.join(names())}, and timm:NAME")
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
        weights: a checkpoint (see ``models.checkpoint``), or what the network reads itself (``onnx``).
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
            raise ModelError(f"model {name!r} has no option {option!r}{near(option, listed)}; {text}")
    reads_itself = accepts(make, "weights")
    try:
        module = make(**options, **({"weights": weights} if reads_itself else {}))
    except ModelError:
        raise
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{k}={v!r}" for k, v in options.items())
        raise ModelError(f"model {name!r} can't be made with {given or 'its defaults'}: {error}") from error
    if weights is not None and not reads_itself:
        from models.checkpoint import load

        load(module, weights)
    return module.eval()
