"""The TOML table of a landmark scheme, checked field by field."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

__all__ = ["GroupTable", "SchemeTable"]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
Index = Annotated[int, Field(ge=0, le=9999)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FlipTable(_Table):
    """Pairs of landmarks that a mirrored face exchanges."""

    pairs: tuple[tuple[Index, Index], ...] = ()


class GroupTable(_Table):
    """A group that lists its landmarks."""

    points: tuple[Index, ...]


class NormaliserTable(_Table):
    """A length that errors are divided by."""

    kind: Literal[
        "distance",
        "box-size",
        "box-diagonal",
        "box-height",
        "annotated-box",
        "annotated-box-size",
        "annotated-box-diagonal",
    ]
    first: tuple[Index, ...] = ()
    second: tuple[Index, ...] = ()
    source: str

    @model_validator(mode="after")
    def _distance_has_ends(self) -> NormaliserTable:
        if (bool(self.first), bool(self.second)) != (self.kind == "distance",) * 2:
            raise ValueError("first and second are lists of landmarks for kind = 'distance', and only for it")
        return self


class SchemeTable(_Table):
    """A landmark scheme."""

    name: Name
    points: Annotated[int, Field(ge=1, le=10_000)]
    default_normaliser: Name
    flip: FlipTable
    groups: dict[Name, tuple[Index, Index] | GroupTable]
    """First and last landmark of a group, or all of its landmarks."""
    normalisers: dict[Name, NormaliserTable]

    def members(self) -> dict[str, tuple[int, ...]]:
        """Return the landmarks of each group."""
        return {
            name: group.points if isinstance(group, GroupTable) else tuple(range(group[0], group[1] + 1))
            for name, group in self.groups.items()
        }

    @model_validator(mode="after")
    def _consistent(self) -> SchemeTable:
        exchanged = [index for pair in self.flip.pairs for index in pair]
        if len(set(exchanged)) != len(exchanged):
            raise ValueError(f"scheme {self.name}: a landmark is in two flip pairs")
        ends = [index for rule in self.normalisers.values() for index in (*rule.first, *rule.second)]
        beyond = sorted(index for index in (*exchanged, *ends) if index >= self.points)
        if beyond:
            raise ValueError(f"scheme {self.name}: landmark {beyond[0]} is beyond its {self.points} landmarks")
        if sorted(index for group in self.members().values() for index in group) != list(range(self.points)):
            raise ValueError(f"scheme {self.name}: the groups are not a partition of its {self.points} landmarks")
        if self.default_normaliser not in self.normalisers:
            raise ValueError(f"scheme {self.name}: no normaliser {self.default_normaliser!r}")
        return self
