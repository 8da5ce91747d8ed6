"""Declares the test protocol of landmarks that another program predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nmebench import boxes, decoders
from nmebench.errors import InputError
from nmebench.models import card as cards
from nmebench.models.table_protocol import table_protocol
from nmebench.printable import shown
from nmebench.protocol import DIRECT, FLIPS, Flip
from nmebench.suggest import unknown

__all__ = ["DeclaredProtocol", "declare", "input_size"]

_LARGEST_SIDE = 4096


@dataclass(frozen=True)
class DeclaredProtocol:
    """How another program is declared to have made its landmarks; nothing of it can be measured from them."""

    decoder: str
    """Canonical decoder spec, or ``direct``."""
    flip: Flip
    box: str
    """Name of a box rule."""
    box_padding: float | None = None
    """None for the box rule's own."""
    input_size: tuple[int, int] | None = None
    """Width, height of the crop in input px; None if it is not known."""
    like: str | None = None
    """The card that was named; its ``reported`` tables are those that ``check`` compares with."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """The card as JSON; empty without one."""
    convention: str = "stride"
    """The map of the landmarks: the preset's, or the grid of the card."""

    def configuration(self) -> dict[str, Any]:
        """Return the declared settings as JSON, for ``run.json``."""
        return {
            "like": self.like,
            "decoder": self.decoder,
            "flip": self.flip,
            "box": self.box,
            "box_padding": self.box_padding,
            "input_size": None if self.input_size is None else list(self.input_size),
        }


def declare(
    like: str | None = None,
    *,
    decoder: str | None = None,
    flip: str | None = None,
    box: str | None = None,
    box_padding: float | None = None,
    input_size: tuple[int, int] | None = None,
) -> DeclaredProtocol | None:
    """Return a declared protocol; None if nothing is declared.

    Args:
        like: a model card, by its path or name; it declares everything that the other arguments don't.
        decoder: a decoder's spec, or ``direct`` for a network that gives landmarks.
        flip: the flip test.
        box: name of a box rule.
        box_padding: factor on the side of the box.
        input_size: width, height of the crop in input px.

    Raises:
        InputError: a name is unknown, a value is out of range, or decoder, flip test and box are incomplete.

    Example:
        >>> declare(decoder="dark:kernel=11", flip="none", box="pfld").decoder
        'dark'
        >>> declare() is None
        True
    """
    if all(value is None for value in (like, decoder, flip, box, box_padding, input_size)):
        return None
    if flip is not None and flip not in FLIPS:
        raise InputError(unknown("flip test", flip, FLIPS))
    card: dict[str, Any] = {}
    if like is not None:
        loaded = cards.load(like)
        card = loaded.model_dump(mode="json")
        own = table_protocol(card, {})
        decoder, box, flip = decoder or own.decoder, box or own.box, flip or own.flip
        input_size = input_size or loaded.input.size
    missing = [
        option
        for option, value in (("--decoder", decoder), ("--flip, --no-flip or --test-time", flip), ("--box", box))
        if value is None
    ]
    if decoder is None or flip is None or box is None:
        raise InputError(
            f"the declared protocol has no {missing[0]}; give decoder, flip test and box, or --like CARD"
            + (f" ({shown(like)} names none)" if like is not None else "")
        )
    boxes.create(box, padding=box_padding)
    convention = str((card.get("output") or {}).get("grid") or "stride")
    if decoder != DIRECT:
        found = decoders.from_spec(decoder)
        decoder, convention = found.spec, found.chain.map if found.chain else convention
    return DeclaredProtocol(
        decoder=decoder,
        flip=flip,
        box=box,
        box_padding=box_padding,
        input_size=input_size,
        like=like,
        card=card,
        convention=convention,
    )


def input_size(text: str) -> tuple[int, int]:
    """Read an input size, such as ``256x256`` (width, height) or ``112``.

    Raises:
        InputError: the text has another form, or a side is out of range.

    Example:
        >>> input_size("192x256"), input_size("112")
        ((192, 256), (112, 112))
    """
    width, cross, height = text.lower().replace("×", "x").partition("x")
    sides = (width.strip(), height.strip() if cross else width.strip())
    if not all(
        side.isascii() and side.isdigit() and len(side) < 5 and 0 < int(side) <= _LARGEST_SIDE for side in sides
    ):
        raise InputError(
            f"input size {shown(text)[:40]!r}: give width and height in px up to {_LARGEST_SIDE}, such as 256x256"
        )
    return int(sides[0]), int(sides[1])
