"""A model card's training (``[training]``)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from nmebench.models.card_table import CardTable, Hex64, Line, Name, Value

__all__ = ["Training"]


class Training(CardTable):
    """Training of a network that was trained with nmebench."""

    command: Line
    """The command that trained them."""
    seed: int | None = None
    data: Line | None = None
    """The training data."""
    sha256: Hex64 | None = None
    """SHA-256 of the weights file."""
    log: Mapping[Name, Value] = Field(default_factory=dict, max_length=64)
    """Facts about the training, such as faces, epochs, losses and times."""
