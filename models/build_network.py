"""Builds the network that a model card describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmebench.models.card import Card, Output, Weights
from nmebench.models.errors import CardError, ModelError
from nmebench.models.registry import accepts, call_factory, factory, has_reserved_options, reads_weights
from nmebench.protocol import Grid

if TYPE_CHECKING:
    from torch import nn

    from nmebench.models.checkpoint import LoadedCheckpoint

__all__ = ["Built", "build", "check_input_size"]

#: Fields of a card's ``[output]`` table that a factory may declare as options.
_OUTPUT_OPTIONS = ("kind", "unit", "layout", "grid")


class Built:
    """A network that is ready to run, its card, and the weights that were loaded.

    A sweep of many networks releases each one while it runs the others; :attr:`module` loads it again.
    """

    def __init__(
        self,
        module: nn.Module,
        card: Card,
        weights: Path | None = None,
        loaded: LoadedCheckpoint | None = None,
        *,
        make: Callable[..., nn.Module] | None = None,
        again: Callable[[], Built] | None = None,
    ) -> None:
        """Keep the network and what doesn't change when it is released.

        Args:
            module: the network in eval mode.
            card: its card.
            weights: the file that was loaded; None for a network without weights.
            loaded: the result of loading it.
            make: the factory of the network; None looks it up by the card.
            again: builds the same network again; None keeps it until the end.
        """
        self.card = card
        self.weights = weights
        self.weights_sha256 = loaded.sha256 if loaded else None
        self.renamed: Mapping[str, int] = loaded.renamed if loaded else {}
        """Number of renamed parameters by ``"their prefix -> our prefix"``."""
        self.naming = loaded.naming if loaded else None
        """The code base whose parameter names the file uses."""
        self.epoch = loaded.epoch if loaded else None
        """The number of the epoch that the file states."""
        self.grid: Grid = getattr(module, "grid", None) or card.output.grid or "stride"
        """The grid of the heatmaps: the module's own (``oracle``), else the card's, else ``stride``."""
        self.reads_pixels = getattr(module, "input_dtype", None) == "uint8"
        """True if the network reads pixel values 0..255, so that the card's mean and std are 0 and 1."""
        self.reads: str = getattr(module, "reads", "images")
        """``images``, or ``landmarks`` for a network that reads the ground truth."""
        self.outputs: tuple[str, ...] | None = tuple(getattr(module, "outputs", None) or ()) or None
        """Names of the outputs, if the module states them."""
        make = make or factory(card.architecture, card.folder)
        self.is_own_code = not has_reserved_options(make)
        """True for a network of the user's own code (``python:``)."""
        target = getattr(make, "target", make) if self.is_own_code else make
        self.code: tuple[object, ...] = (target, *{type(one): None for one in module.modules()})
        """The factory and the classes whose source code produces the outputs."""
        self.bytes = sum(value.nbytes for value in (*module.parameters(), *module.buffers()))
        """Size of the parameters and buffers."""
        self._notes = loaded.notes if loaded else ()
        self._module: nn.Module | None = module
        self._again = again

    def __repr__(self) -> str:
        """Return one line: the card's name and architecture, and the weights."""
        weights = f", weights {self.weights.name}" if self.weights else ""
        return f"<network {self.card.name}: {self.card.architecture}{weights}>"

    @property
    def module(self) -> nn.Module:
        """The network in eval mode; loaded again if it was released.

        Raises:
            ModelError: the weights file has changed since the network was built, or can't be loaded any more.
        """
        if self._module is None:
            assert self._again is not None  # noqa: S101 - release() keeps other networks
            fresh = self._again()
            if fresh.weights_sha256 != self.weights_sha256:
                raise ModelError(f"{self.weights} was changed while the sweep ran; run the same command again")
            self._module = fresh.module
        return self._module

    def release(self) -> None:
        """Free the network's memory; :attr:`module` loads it again."""
        if self._again is not None:
            self._module = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks about the card, the weights and the outputs that need attention; one line each.

        A module can only remark on its outputs after the first pass.
        """
        of_card = () if self.reads_pixels else _normalisation_notes(self.card)
        return (*of_card, *self._notes, *getattr(self.module, "notes", ()))


def build(card: Card, weights: str | Path | None = None) -> Built:
    """Create the network that a card describes and load its weights.

    Args:
        card: from :func:`nmebench.models.card.load`.
        weights: a file to load instead of the card's; the card's hashes are then not checked. The card's ``key`` and
            ``prefix`` apply to it.

    Raises:
        ModelError: the architecture or an option is unknown, the user's code fails, or the weights aren't on this
            machine.
        CardError: the card contradicts its network.
        CheckpointError: the weights can't be loaded.

    Example:
        >>> from nmebench.models import card
        >>> build(card.load("oracle")).reads
        'landmarks'
    """
    path = Path(weights) if weights is not None else card.weights_path()
    make = factory(card.architecture, card.folder)
    hashes = _expected_hashes(card) if weights is None else (None, None)

    def again() -> Built:
        return _build(card, path, make, *hashes, again=again)

    return again()


def _build(
    card: Card,
    path: Path | None,
    make: Callable[..., nn.Module],
    sha256: str | None,
    hash_prefix: str | None,
    *,
    again: Callable[[], Built],
) -> Built:
    from nmebench.models import checkpoint
    from nmebench.models.adapted_network import adapted

    options = _options(card, make)
    own_code = not has_reserved_options(make)
    loaded: LoadedCheckpoint | None = None
    if path is not None and reads_weights(make):
        loaded = checkpoint.LoadedCheckpoint(checkpoint.verify(path, sha256=sha256, hash_prefix=hash_prefix))
        module = call_factory(card.architecture, make, path, options)
    else:
        module = call_factory(card.architecture, make, None, options)
        if path is not None:
            key, prefix = (card.weights.key, card.weights.prefix) if isinstance(card.weights, Weights) else (None, None)
            loaded = checkpoint.load(
                module, path, sha256=sha256, hash_prefix=hash_prefix, key=key, prefix=prefix, own_code=own_code
            )
        elif next(module.parameters(), None) is not None:
            # Random weights would give a number that looks like a result.
            raise ModelError(f"{card.name} has parameters and its card names no weights: give --weights FILE")
    table = _unapplied_output(card, make)
    if table is not None:
        module = adapted(
            module,
            table,
            f"card {card.name}",
            image_layout=card.input.layout,
            own_code=own_code,
        )
    check_input_size(card, module)
    return Built(module, card, path, loaded, make=make, again=again)


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


def _options(card: Card, make: Callable[..., nn.Module]) -> dict[str, Any]:
    """The card's options, with the fields of its ``[output]`` table that the architecture declares."""
    options: dict[str, Any] = dict(card.options)
    if not has_reserved_options(make):
        return options
    if accepts(make, "output"):
        options["output"] = card.output
    if card.input.layout is not None and accepts(make, "image_layout"):
        options["image_layout"] = card.input.layout
    for field_name in _OUTPUT_OPTIONS:
        value = getattr(card.output, field_name)
        if value is not None and accepts(make, field_name):
            options[field_name] = value
    if accepts(make, "unit") and not accepts(make, "layout") and card.output.layout != "xy":
        # The network has converted the landmarks before their layout could be changed.
        raise CardError(f"card {card.name}: {card.architecture} takes no output.layout; remove it")
    return options


def _unapplied_output(card: Card, make: Callable[..., nn.Module]) -> Output | None:
    """The card's ``[output]`` table without the fields that the architecture applies; None if it applies all."""
    if not has_reserved_options(make):
        return card.output
    if accepts(make, "output"):
        return None
    usual = Output()
    applied = {name: getattr(usual, name) for name in _OUTPUT_OPTIONS if name != "kind" and accepts(make, name)}
    return card.output.model_copy(update=applied)


def _expected_hashes(card: Card) -> tuple[str | None, str | None]:
    """The SHA-256 of the card's weights file and the prefix of it, as far as the card states them."""
    if isinstance(card.weights, Weights):
        return card.weights.sha256, card.weights.hash_prefix
    if card.weights is not None and card.training is not None:
        return card.training.sha256, None
    return None, None


def check_input_size(card: Card, module: nn.Module) -> None:
    """Check that a network reads the images that its card describes.

    Args:
        card: the network's card.
        module: the network.

    Raises:
        ModelError: the network reads another size.
        CardError: the network reads pixel values, and the card normalises them.
    """
    reads = getattr(module, "input_size", None)
    wanted = tuple(card.input.size)
    if reads is not None and tuple(reads) != wanted:
        raise ModelError(
            f"card {card.name}: input.size is {list(wanted)}, and the network reads {list(reads)} (width, height)"
        )
    if getattr(module, "input_dtype", None) == "uint8" and (set(card.input.mean), set(card.input.std)) != ({0}, {1}):
        raise CardError(
            f"card {card.name}: the network reads uint8 pixel values: set mean = [0, 0, 0] and std = [1, 1, 1] in"
            " [input]"
        )
