"""Which sweep the embedded benchmark is."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from nmebench.models import card as cards
from nmebench.protocol import Flip
from nmebench.sweep.configuration import ModelRequest, SweepConfiguration

__all__ = ["DATASET", "FLIPS", "embedded_configuration", "shipped_networks"]

DATASET = "synthface"

#: What `nmebench gate --embedded` compares with.
BASELINE = Path(str(resources.files("nmebench.reproduction"))) / "baseline.json"

#: Both ends of the flip test: without it, and with it as mmpose's published rows have it.
FLIPS: tuple[Flip, ...] = ("none", "flip+shift")


def shipped_networks() -> list[str]:
    """Names of the shipped cards whose weights are in the package, sorted."""
    return [name for name in cards.shipped() if isinstance(cards.load(name).weights, str)]


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
        flip=FLIPS,
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
        flip=FLIPS,
        boxes=("landmarks",),
        engine=engine,
        pictures=False,
        title="The gate",
    )
