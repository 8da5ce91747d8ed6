"""The test protocol of a reported table: decoder, flip test, box rule and normaliser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nmebench.protocol import DIRECT, Flip

__all__ = ["TableProtocol", "table_protocol"]


@dataclass(frozen=True, slots=True)
class TableProtocol:
    """The test protocol of one reported table; None for a setting that the card does not state."""

    decoder: str | None
    """A decoder's spec as the card writes it; :data:`nmebench.protocol.DIRECT` for a network that gives landmarks."""
    flip: Flip
    box: str | None
    """Name of a box rule (``nmebench.boxes``)."""
    normaliser: str = "inter-ocular"


def table_protocol(card: Mapping[str, Any], table: Mapping[str, Any]) -> TableProtocol:
    """Return the protocol of one reported table: the table's own settings, then the card's.

    A network that gives landmarks has no decoder. ``flip`` is the name of a flip test, or mmpose's switch: mmpose has
    one more that shifts flipped heatmaps (``shift``) and one that shifts flipped coordinates (``shift_coords``), and
    the word ``flip+shift`` covers both.

    Args:
        card: a model card as JSON, as a run stores it. Tables and fields may be missing.
        table: one table of ``card["reported"]`` as JSON; empty for the card's own protocol.

    Example:
        >>> card = {"test": {"decoder": "dark", "flip": True, "shift": True}, "input": {"box": "landmarks"}}
        >>> table_protocol(card, {"shift": False})
        TableProtocol(decoder='dark', flip='flip', box='landmarks', normaliser='inter-ocular')
    """
    test = {**(card.get("test") or {}), **{key: value for key, value in table.items() if value is not None}}
    gives_landmarks = (card.get("output") or {}).get("kind") == "landmarks"
    shift = test.get("shift_coords" if gives_landmarks else "shift")
    named = test.get("flip")
    flip: Flip = "none"
    if isinstance(named, str):
        flip = named  # type: ignore[assignment]  # the card's model has checked it
    elif named:
        flip = "flip+shift" if shift else "flip"
    return TableProtocol(
        decoder=DIRECT if gives_landmarks else test.get("decoder") or None,
        flip=flip,
        box=table.get("box") or (card.get("input") or {}).get("box"),
        normaliser=table.get("normaliser") or "inter-ocular",
    )
