"""The sweep configurations of the embedded benchmark and of the gate."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

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


def embedded_configuration(
    *,
    data: str = DATASET,
    engine: str = "auto",
    threads: int | None = None,
    batch_size: int | None = None,
    pictures: bool = True,
) -> SweepConfiguration:
    """Return the sweep of the embedded benchmark.

    It measures three networks with every decoder, with and without the flip test, on synthface's test split.

    Args:
        data: dataset to measure on.
        engine: name of the engine.
        threads: threads for the network; by default one per physical core.
        batch_size: faces per batch; chosen from the network's size by default.
        pictures: store thumbnails for the report.
    """
    return SweepConfiguration(
        data=data,
        models=tuple(ModelRequest(card=name) for name in NETWORKS),
        decoders=("all",),
        flip=EMBEDDED_FLIPS,
        boxes=("landmarks",),
        engine=engine,
        threads=threads,
        batch_size=batch_size,
        pictures=pictures,
        title="The embedded benchmark",
    )


def encodings_configuration(
    *,
    data: str = DATASET,
    engine: str = "auto",
    threads: int | None = None,
    batch_size: int | None = None,
    pictures: bool = True,
) -> SweepConfiguration:
    """Return the sweep that compares encodings of landmarks: five networks that differ in nothing else.

    It measures each network with every decoder that reads its outputs, without a flip test, on synthface's test split.

    Args:
        data: dataset to measure on.
        engine: name of the engine.
        threads: threads for the network; by default one per physical core.
        batch_size: faces per batch; chosen from the network's size by default.
        pictures: store thumbnails for the report.
    """
    return SweepConfiguration(
        data=data,
        models=tuple(ModelRequest(card=name) for name in ENCODINGS),
        decoders=("all",),
        flip=("none",),
        boxes=("landmarks",),
        engine=engine,
        threads=threads,
        batch_size=batch_size,
        pictures=pictures,
        title="Encodings of one network",
    )


def gate_configuration(*, engine: str = "auto") -> SweepConfiguration:
    """Return the sweep of `nmebench gate --embedded`: the embedded benchmark with the three published decoders."""
    return SweepConfiguration(
        data=DATASET,
        models=tuple(ModelRequest(card=name) for name in NETWORKS),
        decoders=("argmax", "quarter-offset", "dark"),
        flip=EMBEDDED_FLIPS,
        boxes=("landmarks",),
        engine=engine,
        pictures=False,
        title="The gate",
    )
