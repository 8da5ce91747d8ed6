"""The base class of a model card's tables, and the types of their fields."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w.:+-]+$")]
Line = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\r\n]*$")]
Spec = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S+$")]
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
HexPrefix = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")]
Side = Annotated[int, Field(ge=8, le=4096)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Value = bool | int | Finite | Line
Triple = tuple[Finite, Finite, Finite]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class CardTable(BaseModel):
    """A table of a card: immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, validate_default=True)
