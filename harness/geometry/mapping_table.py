"""The TOML table of a point mapping, checked entry by entry."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from nmebench.geometry.scheme_table import Index, Name

__all__ = ["EntryTable", "MappingTable"]

Weight = Annotated[FiniteFloat, Field(gt=0, le=1000)]
Part = tuple[Index, Weight]
"""A landmark of the network's scheme and its weight."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EntryTable(_Table):
    """How one landmark follows from those of the network."""

    to: Index
    from_: tuple[Part, ...] = Field(default=(), alias="from")
    """Landmarks and weights for both coordinates."""
    x: tuple[Part, ...] = ()
    """For x alone; needs ``y``."""
    y: tuple[Part, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> EntryTable:
        if (bool(self.from_), bool(self.x), bool(self.y)) not in ((True, False, False), (False, True, True)):
            raise ValueError(f"the entry of landmark {self.to} needs either from, or x and y")
        for parts in (self.from_, self.x, self.y):
            numbers = [number for number, _ in parts]
            if len(set(numbers)) != len(numbers):
                raise ValueError(f"the entry of landmark {self.to} names a landmark twice")
        return self

    @property
    def of_x(self) -> tuple[Part, ...]:
        """The landmarks and weights of the x coordinate."""
        return self.x or self.from_

    @property
    def of_y(self) -> tuple[Part, ...]:
        """The landmarks and weights of the y coordinate."""
        return self.y or self.from_


class MappingTable(_Table):
    """A point mapping between two landmark schemes."""

    from_: Name = Field(alias="from")
    """The scheme of the network."""
    to: Name
    """The scheme of the data set."""
    source: str = Field(min_length=1)
    """The publication or code that defines it."""
    points: tuple[EntryTable, ...]
    """One entry per landmark of ``to``, in its order."""

    @model_validator(mode="after")
    def _in_order(self) -> MappingTable:
        for number, entry in enumerate(self.points):
            if entry.to != number:
                raise ValueError(
                    f"entry {number} is that of landmark {entry.to}; the entries must be those of the landmarks 0, 1, "
                    f"2, ... of {self.to}, in this order"
                )
        return self
