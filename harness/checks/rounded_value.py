"""Numbers as tables print them: a rounded value represents an interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from nmebench.metric_names import Metric, MetricKind, MetricName

__all__ = ["RoundedValue", "rounded_values"]

#: The fewest decimals that tables print. A float has lost its trailing zeros: 4.30 becomes 4.3.
_FEWEST_DECIMALS: Mapping[MetricKind, int] = {"nme": 2, "fr": 2, "auc": 3}

#: The most decimals that are compared. Logs print all digits of a float64, but a run stores float32 landmarks.
_MOST_DECIMALS: Mapping[MetricKind, int] = {"nme": 4, "fr": 4, "auc": 5}


@dataclass(frozen=True)
class RoundedValue:
    """A value and the number of decimals printed.

    Example:
        >>> RoundedValue(Decimal("3.98"), decimals=2).interval()
        (3.975, 3.985)
        >>> RoundedValue(Decimal("2.84"), decimals=2).counts(faces=2500)
        range(71, 72)
    """

    value: Decimal
    decimals: int

    def __str__(self) -> str:
        return f"{self.value:.{self.decimals}f}"

    def interval(self, tolerance: float | Decimal = 0) -> tuple[float, float]:
        """The range that prints as this value, low inclusive and high exclusive, widened by a tolerance both ways."""
        reach = Decimal(5).scaleb(-self.decimals - 1) + Decimal(str(tolerance))
        return float(self.value - reach), float(self.value + reach)

    def counts(self, faces: int) -> range:
        """Numbers of faces k for which k / ``faces`` in percent prints as this value; empty if there is none.

        If no k rounds to the value, a k within one unit of the last decimal counts, because some sources truncate or
        round twice (80 of 206 faces are 38.835 %, which a table prints as 38.84).
        """
        for reach in (Decimal(5).scaleb(-self.decimals - 1), Decimal(1).scaleb(-self.decimals)):
            first = math.ceil((self.value - reach) * faces / 100)
            last = math.ceil((self.value + reach) * faces / 100) - 1
            found = range(max(first, 0), min(last, faces) + 1)
            if found:
                return found
        return range(0)


def rounded_values(metric: MetricName, values: Mapping[str, float | Decimal]) -> dict[str, RoundedValue]:
    """Attach the number of printed decimals to the values of one metric in one table.

    A table prints one metric with one number of decimals. A ``Decimal`` keeps its own, up to four (five for AUC). For
    floats, which lose trailing zeros, it is the largest number that any of the values shows, and at least two (three
    for AUC).

    Args:
        metric: the metric of all values.
        values: value by subset.

    Example:
        >>> {subset: str(value) for subset, value in rounded_values("nme", {"test": 4.3, "pose": 7.14}).items()}
        {'test': '4.30', 'pose': '7.14'}
        >>> rounded_values("nme", {"test": Decimal("2.030598939445185")})["test"].interval()
        (2.030548939445185, 2.030648939445185)
    """
    if values and all(isinstance(value, Decimal) for value in values.values()):
        most = _MOST_DECIMALS[Metric.parse(metric).kind]
        return {subset: RoundedValue(Decimal(v), min(_decimals(Decimal(v)), most)) for subset, v in values.items()}
    decimal = {subset: Decimal(repr(float(value))) for subset, value in values.items()}
    places = max([_FEWEST_DECIMALS[Metric.parse(metric).kind], *(_decimals(value) for value in decimal.values())])
    return {subset: RoundedValue(value, places) for subset, value in decimal.items()}


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
