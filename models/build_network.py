"""Builds the network that a model card describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmebench.models.card import Card, Weights
from nmebench.models.errors import CardError, ModelError
from nmebench.models.registry import accepts, create, factory
from nmebench.protocol import Grid

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Built", "build"]


@dataclass(frozen=True, slots=True)
class Built:
    """A network that is ready to run, its card, and the weights that were loaded."""

    module: nn.Module
    """The network in eval mode."""
    card: Card
    weights: Path | None = None
    """The file that was loaded; None for a network without weights."""
    weights_sha256: str | None = None
    renamed: Mapping[str, int] = field(default_factory=dict)
    """Number of renamed parameters by ``"their prefix -> our prefix"``."""
    naming: str | None = None
    """The code base whose parameter names the file uses."""

    @property
    def grid(self) -> Grid:
        """The grid of the heatmaps: the module's own (``oracle``), else the card's, else ``stride``."""
        return getattr(self.module, "grid", None) or self.card.output.grid or "stride"

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks about values of the card that are likely to be wrong, and the module's own ``notes``; one line each.

        A module can only remark on its outputs after the first pass.
        """
        return (*_normalisation_notes(self.card), *getattr(self.module, "notes", ()))


def build(card: Card, weights: str | Path | None = None) -> Built:
    """Create the network that a card describes and load its weights.

    Args:
        card: from :func:`nmebench.models.card.load`.
        weights: a file to load instead of the card's; the card's hashes are then not checked.

    Raises:
        ModelError: the architecture or an option is unknown, or the weights aren't on this machine.
        CardError: the card contradicts its network.
        CheckpointError: the weights can't be loaded.

    Example:
        >>> from nmebench.models import card
        >>> build(card.load("oracle")).module.reads
        'landmarks'
    """
    from nmebench.models import checkpoint

    path = Path(weights) if weights is not None else card.weights_path()
    sha256, hash_prefix = _expected_hashes(card) if weights is None else (None, None)
    options = _options(card)
    if path is None:
        module = create(card.architecture, **options)
        if next(module.parameters(), None) is not None:
            # Random weights would give a number that looks like a result.
            raise ModelError(f"{card.name} has parameters and its card names no weights: give --weights FILE")
        built = Built(module, card)
    elif accepts(factory(card.architecture), "weights"):
        digest = checkpoint.verify(path, sha256=sha256, hash_prefix=hash_prefix)
        built = Built(create(card.architecture, path, **options), card, path, digest)
    else:
        module = create(card.architecture, **options)
        loaded = checkpoint.load(module, path, sha256=sha256, hash_prefix=hash_prefix)
        built = Built(module, card, path, loaded.sha256, loaded.renamed, loaded.naming)
    _check_input_size(built)
    return built


def _normalisation_notes(card: Card) -> tuple[str, ...]:
    """A note on a mean and standard deviation that look like those of pixel values in 0..1."""
    mean, std = card.input.mean, card.input.std
    if max(std) > 1 or (set(std) == {1.0} and max(mean) > 1):  # Caffe's networks read values minus a mean in 0..255
        return ()
    scaled = ", ".join(f"{value * 255:g}" for value in std)
    return (
        f"card {card.name}: input.std is {list(std)}, but pixel values are 0..255: if mean and std are those of values"
        f" in 0..1, multiply both by 255 (std = [{scaled}])",
    )


def _options(card: Card) -> dict[str, Any]:
    """The card's options, with the fields of its ``[output]`` table that the architecture declares."""
    make = factory(card.architecture)
    options: dict[str, Any] = dict(card.options)
    for field_name in ("kind", "unit", "layout", "grid"):
        value = getattr(card.output, field_name)
        if value is None:
            continue
        if accepts(make, field_name):
            options[field_name] = value
        elif field_name == "unit" or (field_name == "layout" and value != "xy"):
            raise CardError(f"card {card.name}: {card.architecture} takes no output.{field_name}; remove it")
    return options


def _expected_hashes(card: Card) -> tuple[str | None, str | None]:
    """The SHA-256 of the card's weights file and the prefix of it, as far as the card states them."""
    if isinstance(card.weights, Weights):
        return card.weights.sha256, card.weights.hash_prefix
    if card.weights is not None and card.training is not None:
        return card.training.sha256, None
    return None, None


def _check_input_size(built: Built) -> None:
    reads = getattr(built.module, "input_size", None)
    wanted = tuple(built.card.input.size)
    if reads is not None and tuple(reads) != wanted:
        raise ModelError(
            f"card {built.card.name}: input.size is {list(wanted)}, and the network reads {list(reads)} (width, height)"
        )
