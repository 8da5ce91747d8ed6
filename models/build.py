"""A card made into a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmebench.models.card import Card
from nmebench.models.errors import CardError, ModelError
from nmebench.models.registry import accepts, create, factory

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Built", "build"]


@dataclass(frozen=True, slots=True)
class Built:
    """A network, ready to run, and what is known of its weights."""

    module: nn.Module
    """In eval mode."""
    card: Card
    weights: Path | None = None
    """The file that was loaded; None for a network without weights."""
    weights_sha256: str | None = None
    renamed: Mapping[str, int] = field(default_factory=dict)
    """``"theirs -> ours"`` for each prefix that was replaced, with the number of parameters."""
    naming: str | None = None
    """Whose parameter names the file used."""


def _options(card: Card) -> dict[str, Any]:
    """The card's options, with what its ``[output]`` table says where the architecture wants to know."""
    make = factory(card.architecture)
    options: dict[str, Any] = dict(card.options)
    for field_name in ("kind", "unit"):
        value = getattr(card.output, field_name)
        if value is None:
            continue
        if accepts(make, field_name):
            options[field_name] = value
        elif field_name == "unit":
            raise CardError(f"card {card.name}: output.unit means nothing to {card.architecture}; leave it out")
    return options


def build(card: Card, weights: str | Path | None = None) -> Built:
    """Make the network that a card describes and load its weights.

    Args:
        card: from ``nmebench.models.card.load``.
        weights: a file to use instead of the card's; the card's hashes are then not asked for.

    Raises:
        ModelError: an unknown architecture or option, or weights that aren't on this machine.
        CardError: a card that contradicts its network.
        CheckpointError: weights that can't be loaded.
    """
    from nmebench.models import checkpoint

    path = Path(weights) if weights is not None else card.weights_path()
    options = _options(card)
    known = card.weights if weights is None and card.weights is not None and not isinstance(card.weights, str) else None
    expected = known.sha256 if known else None
    if weights is None and isinstance(card.weights, str) and card.training is not None:
        expected = card.training.sha256
    prefix = known.hash_prefix if known else None
    if path is None:
        module = create(card.architecture, **options)
        if next(module.parameters(), None) is not None:
            # Random weights would give a number that looks like a result.
            raise ModelError(f"{card.name} has parameters and its card names no weights: give --weights FILE")
        built = Built(module, card)
    elif accepts(factory(card.architecture), "weights"):
        digest = checkpoint.verify(path, sha256=expected, hash_prefix=prefix)
        built = Built(create(card.architecture, path, **options), card, path, digest)
    else:
        module = create(card.architecture, **options)
        loaded = checkpoint.load(module, path, sha256=expected, hash_prefix=prefix)
        built = Built(module, card, path, loaded.sha256, loaded.renamed, loaded.naming)
    _check_input(built)
    return built


def _check_input(built: Built) -> None:
    reads = getattr(built.module, "input_size", None)
    wanted = tuple(built.card.input.size)
    if reads is not None and tuple(reads) != wanted:
        raise ModelError(
            f"card {built.card.name}: input.size is {list(wanted)}, and the network reads {list(reads)} (width, height)"
        )
