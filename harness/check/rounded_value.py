"""A number as a table prints it: rounded, so that it stands for an interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

__all__ = ["RoundedValue", "rounded_values"]

#: Tables print at least so many decimals; a float has lost the zeros at the end (4.30 became 4.3).
_LEAST = {"nme": 2, "fr10": 2, "auc10": 3}


@dataclass(frozen=True)
class RoundedValue:
    """A value and how many decimals were printed: 3.98 stands for [3.975, 3.985)."""

    value: Decimal
    decimals: int

    def __str__(self) -> str:
        return f"{self.value:.{self.decimals}f}"

    def interval(self, tolerance: float | Decimal = 0) -> tuple[float, float]:
        """From (inclusive) and to (exclusive), the rounding interval widened by a tolerance on both sides."""
        reach = Decimal(5).scaleb(-self.decimals - 1) + Decimal(str(tolerance))
        return float(self.value - reach), float(self.value + reach)

    def counts(self, faces: int) -> range:
        """Numbers of faces k for which k / faces in percent prints as this value; empty where there is none.

        Where no k rounds to it, one less than a unit of the last decimal away counts: sources truncate, or round twice
        (80 of 206 faces are 38.835 %, which a table prints as 38.84).
        """
        for reach in (Decimal(5).scaleb(-self.decimals - 1), Decimal(1).scaleb(-self.decimals)):
            first = math.ceil((self.value - reach) * faces / 100)
            last = math.ceil((self.value + reach) * faces / 100) - 1
            found = range(max(first, 0), min(last, faces) + 1)
            if found:
                return found
        return range(0)


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def rounded_values(metric: str, values: Mapping[str, float | Decimal]) -> dict[str, RoundedValue]:
    """Values of one metric in one table, by subset, with their decimals.

    A table prints one metric with one number of decimals. Decimals keep theirs; for floats, which lose zeros at the
    end, it is the largest that any of the values shows, and at least two (three for AUC).
    """
    exact: Iterable[bool] = (isinstance(v, Decimal) for v in values.values())
    if values and all(exact):
        return {s: RoundedValue(Decimal(v), _decimals(Decimal(v))) for s, v in values.items()}
    decimal = {subset: Decimal(repr(float(value))) for subset, value in values.items()}
    places = max([_LEAST[metric], *(_decimals(v) for v in decimal.values())])
    return {subset: RoundedValue(value, places) for subset, value in decimal.items()}
