"""The base class of a model card's tables, and the types of their fields."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w.:+-]+$")]
Line = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\r\n]*$")]
Spec = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S+$")]
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
HexPrefix = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")]
Side = Annotated[int, Field(ge=8, le=4096)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Architecture = Annotated[
    str, StringConstraints(min_length=1, max_length=1000, pattern=r"^([\w.:+-]{1,100}|python:[^\r\n\x00]+)$")
]
Value = bool | int | Finite | Line


def _finite(value: JsonValue) -> JsonValue:
    """Refuse NaN and infinity inside lists and tables too: run.json can't hold them."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        _finite(part)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("Input should be a finite number")
    return value


OptionValue = Annotated[JsonValue, AfterValidator(_finite)]
"""A value of ``[options]``: text, number, boolean, list or table."""
Triple = tuple[Finite, Finite, Finite]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class CardTable(BaseModel):
    """A table of a card: immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, validate_default=True)
