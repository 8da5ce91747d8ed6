"""The sweep configurations of the embedded benchmark and of the gate."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from nmebench.protocol import Flip
from nmebench.sweep.configuration import ModelRequest, SweepConfiguration

__all__ = [
    "BASELINE",
    "DATASET",
    "EMBEDDED_FLIPS",
    "ENCODINGS",
    "NETWORKS",
    "embedded_configuration",
    "encodings_configuration",
    "gate_configuration",
]

DATASET = "synthface"

#: The baseline of `nmebench gate --embedded`.
BASELINE = Path(str(resources.files("nmebench.reproduction"))) / "baseline.json"

#: Without the flip test, and with the one of mmpose's published rows.
EMBEDDED_FLIPS: tuple[Flip, ...] = ("none", "flip+shift")

NETWORKS = ("synthface-hrnet-small", "synthface-mobilenetv3", "synthface-resnet10-deconv")
"""The cards of the embedded benchmark: three backbones trained on Gaussian heatmaps."""

ENCODINGS = tuple(f"synthface-mobilenetv3-{name}" for name in ("gaussian", "udp", "half-pixel", "offset", "simcc"))
"""The cards of the comparison of encodings: one backbone, trained in five ways. The first is the reference."""


def _configuration(cards: Sequence[str], title: str, **options: Any) -> SweepConfiguration:
    """A sweep of some cards on synthface's test split, with the landmarks' box."""
    fields: dict[str, Any] = {"data": DATASET, "decoders": ("all",), "boxes": ("landmarks",), **options}
    return SweepConfiguration(models=tuple(ModelRequest(card=name) for name in cards), title=title, **fields)


def embedded_configuration(**options: Any) -> SweepConfiguration:
    """Return the sweep of the embedded benchmark.

    It measures three networks with every decoder, with and without the flip test, on synthface's test split.

    Args:
        **options: other fields of the sweep, such as ``data``, ``engine``, ``threads``, ``batch_size``, ``pictures``.
    """
    return _configuration(NETWORKS, "The embedded benchmark", flip=EMBEDDED_FLIPS, **options)


def encodings_configuration(**options: Any) -> SweepConfiguration:
    """Return the sweep that compares encodings of landmarks: five networks that differ in nothing else.

    It measures each network with every decoder that reads its outputs, without a flip test, on synthface's test split.

    Args:
        **options: other fields of the sweep, as for :func:`embedded_configuration`.
    """
    return _configuration(ENCODINGS, "Encodings of one network", flip=("none",), **options)


def gate_configuration(*, engine: str = "auto") -> SweepConfiguration:
    """Return the sweep of `nmebench gate --embedded`: the embedded benchmark with the three published decoders."""
    return _configuration(
        NETWORKS,
        "The gate",
        decoders=("argmax", "quarter-offset", "dark"),
        flip=EMBEDDED_FLIPS,
        engine=engine,
        pictures=False,
    )
