"""Measured times of other toolkits, as data."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

__all__ = ["PeerFigure", "peer_figures"]


@dataclass(frozen=True)
class PeerFigure:
    """Milliseconds per face that another toolkit takes for a stage, on the machine of :func:`peer_figures`."""

    stage: str
    what: str
    ms: float


def peer_figures() -> tuple[str, list[PeerFigure]]:
    """Return the machine that the figures were measured on, and the figures."""
    table = tomllib.loads(resources.files("nmebench.bench").joinpath("peers.toml").read_text(encoding="utf-8"))
    return table["machine"], [PeerFigure(**figure) for figure in table["figure"]]
