"""Published tables of the same weights that print different numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from nmebench.metric_names import NME
from nmebench.published.rows import PublishedRow

__all__ = ["Disagreement", "disagreements"]


@dataclass(frozen=True)
class Disagreement:
    """A number that the tables of one checkpoint print differently."""

    dataset: str
    sha256_prefix: str
    metric: str
    subset: str
    values: Mapping[str, Decimal]
    """Printed number by method."""

    def __str__(self) -> str:
        values = ", ".join(f"{value} in {method}" for method, value in self.values.items())
        return f"{self.dataset}, weights {self.sha256_prefix}, {self.metric} of {self.subset}: {values}"


def disagreements(rows: Iterable[PublishedRow]) -> list[Disagreement]:
    """Return the numbers that differ between rows of the same weights, data set and normaliser.

    Example:
        >>> from nmebench import published
        >>> found = disagreements(published.load("cofw"))[0]
        >>> found.sha256_prefix, {method: str(value) for method, value in found.values.items()}
        ('49243ab8', {'mmpose HRNetV2-W18 (0.x table)': '3.40', 'mmpose HRNetV2-W18 (1.x table)': '3.48'})
    """
    groups: dict[tuple[str, str, str | None], list[PublishedRow]] = {}
    for row in rows:
        if row.sha256_prefix:
            groups.setdefault((row.dataset, row.sha256_prefix, row.protocol.normaliser), []).append(row)
    found = []
    for (dataset, prefix, _), members in groups.items():
        for metric in dict.fromkeys(name for row in members for name in (NME, *row.rates)):
            for subset in dict.fromkeys(name for row in members for name in row.values(metric)):
                values = {row.method: row.values(metric)[subset] for row in members if subset in row.values(metric)}
                if len(set(values.values())) > 1:
                    found.append(Disagreement(dataset, prefix, metric, subset, values))
    return found
