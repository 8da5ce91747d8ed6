"""Which sweep the embedded benchmark is."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from harness.sweep.configuration import ModelRequest, SweepConfiguration

__all__ = ["DATASET", "FLIPS", "embedded_configuration", "shipped_networks"]

DATASET = "synthface"

#: What `nmebench gate --embedded` compares with.
BASELINE = Path(str(resources.files("harness.reproduction"))) / "baseline.json"

#: Both ends of the flip test: without it, and with it as mmpose's published rows have it.
FLIPS = ("none", "flip+shift")


NETWORKS = ("synthface-hrnet-small", "synthface-mobilenetv3", "synthface-resnet10-deconv")


def shipped_networks() -> list[str]:
    """Names of the shipped cards that the embedded benchmark measures, sorted.

    The networks trained for one encoding each (``synthface-mobilenetv3-*``) are not among them.
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
    """Shipped networks x every decoder x flip test off and on, over synthface's test split."""
    return SweepConfiguration(
        data=data,
        models=tuple(ModelRequest(card=name) for name in shipped_networks()),
        decoders=("all",),
        flip=FLIPS,  # type: ignore[arg-type]
        boxes=("landmarks",),
        engine=engine,
        threads=threads,
        batch_size=batch_size,
        pictures=pictures,
        title="The embedded benchmark",
    )


def gate_configuration(*, engine: str = "auto") -> SweepConfiguration:
    """The part of the embedded benchmark that a commit is held to: the three decoders that published rows use."""
    return SweepConfiguration(
        data=DATASET,
        models=tuple(ModelRequest(card=name) for name in shipped_networks()),
        decoders=("argmax", "quarter-offset", "dark"),
        flip=FLIPS,  # type: ignore[arg-type]
        boxes=("landmarks",),
        engine=engine,
        pictures=False,
        title="The gate",
    )
