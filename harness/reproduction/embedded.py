"""The sweep configurations of the embedded benchmark and of the gate."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from nmebench.protocol import Flip
from nmebench.sweep.configuration import ModelRequest, SweepConfiguration

__all__ = ["BASELINE", "DATASET", "EMBEDDED_FLIPS", "embedded_configuration", "gate_configuration", "shipped_networks"]

DATASET = "synthface"

#: The baseline of `nmebench gate --embedded`.
BASELINE = Path(str(resources.files("nmebench.reproduction"))) / "baseline.json"

#: Without the flip test, and with the one of mmpose's published rows.
EMBEDDED_FLIPS: tuple[Flip, ...] = ("none", "flip+shift")


NETWORKS = ("synthface-hrnet-small", "synthface-mobilenetv3", "synthface-resnet10-deconv")


def shipped_networks() -> list[str]:
    """Return the names of the cards that the embedded benchmark measures, sorted.

    The networks that are trained for one encoding each (``synthface-mobilenetv3-*``) are not among them.
    """
    return list(NETWORKS)


def embedded_configuration(
    *,
    data: str = DATASET,
    engine: str = "auto",
    threads: int | None = None,
    batch_size: int | None = None,
    pictures: bool = True,
) -> SweepConfiguration:
    """Return the sweep of the embedded benchmark.

    It measures every shipped network with every decoder, with and without the flip test, on synthface's test split.

    Args:
        data: dataset to measure on.
        engine: name of the engine.
        threads: threads for the network; by default one per physical core.
        batch_size: faces per batch; chosen from the network's size by default.
        pictures: store thumbnails for the report.
    """
    return SweepConfiguration(
        data=data,
        models=tuple(ModelRequest(card=name) for name in shipped_networks()),
        decoders=("all",),
        flip=EMBEDDED_FLIPS,
        boxes=("landmarks",),
        engine=engine,
        threads=threads,
        batch_size=batch_size,
        pictures=pictures,
        title="The embedded benchmark",
    )


def gate_configuration(*, engine: str = "auto") -> SweepConfiguration:
    """Return the sweep of `nmebench gate --embedded`: the embedded benchmark with the three published decoders."""
    return SweepConfiguration(
        data=DATASET,
        models=tuple(ModelRequest(card=name) for name in shipped_networks()),
        decoders=("argmax", "quarter-offset", "dark"),
        flip=EMBEDDED_FLIPS,
        boxes=("landmarks",),
        engine=engine,
        pictures=False,
        title="The gate",
    )
