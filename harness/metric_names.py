"""The names of metrics: ``nme``, and ``frT`` and ``aucT`` at a threshold of T percent, such as ``fr10`` and ``auc7.5``.

T is written in decimal notation with at most four decimals and without trailing zeros, so that a name and a threshold
determine each other. The names are columns of ``scores.csv``, keys of reported tables and words of the command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, SupportsFloat

from pydantic import AfterValidator, Field

from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.protocol import THRESHOLD
from nmebench.suggest import did_you_mean

__all__ = [
    "NME",
    "Metric",
    "MetricKind",
    "MetricName",
    "Thresholds",
    "check_rates",
    "check_threshold",
    "check_thresholds",
    "gather_rates",
    "in_metric_order",
    "is_metric",
    "metric_names",
    "spread_rates",
    "threshold_text",
]

MetricKind = Literal["nme", "fr", "auc"]
"""``nme``: mean NME, percent. ``fr``: failure rate, the share of faces with an NME above the threshold, percent.
``auc``: area under the cumulative error distribution up to the threshold, a fraction of it."""

NME: Final = "nme"
"""The name of the metric without a threshold."""

_SMALLEST: Final = 0.2
_LARGEST: Final = 100.0
_DECIMALS: Final = 4
_FORM: Final = re.compile(r"(fr|auc)((?:0|[1-9]\d{0,2})(?:\.\d{0,3}[1-9])?)", re.ASCII)
_MOST_THRESHOLDS: Final = 8


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: NME, or FR or AUC at a threshold.

    Example:
        >>> Metric.parse("auc7.5")
        Metric(kind='auc', threshold=7.5)
        >>> Metric("fr", 8.0).name, Metric("fr", 8.0).title
        ('fr8', 'FR@8')
    """

    kind: MetricKind
    threshold: float | None = None
    """Percent; None for NME."""

    @classmethod
    def parse(cls, name: str) -> Metric:
        """Return the metric of a name.

        Raises:
            InputError: no metric has this name.
        """
        if name == NME:
            return cls("nme")
        match = _FORM.fullmatch(name)
        if match is None:
            usual = metric_names([THRESHOLD])
            raise InputError(
                f"unknown metric {shown(name)[:40]!r}{did_you_mean(name, usual)} (known: {', '.join(usual)}, and other "
                "thresholds in percent, such as fr8 and auc7.5)"
            )
        kind: MetricKind = "fr" if match[1] == "fr" else "auc"
        return cls(kind, check_threshold(float(match[2])))

    @property
    def name(self) -> str:
        """The name, ``fr10``: the column of ``scores.csv``."""
        return self.kind if self.threshold is None else f"{self.kind}{threshold_text(self.threshold)}"

    @property
    def title(self) -> str:
        """The name as papers write it: ``NME``, ``FR@10``, ``AUC@7.5``."""
        kind = self.kind.upper()
        return kind if self.threshold is None else f"{kind}@{threshold_text(self.threshold)}"

    @property
    def lower_is_better(self) -> bool:
        """True for NME and FR, false for AUC."""
        return self.kind != "auc"

    @property
    def percent(self) -> bool:
        """True for NME and FR, which are percent; false for AUC, which is a fraction."""
        return self.kind != "auc"


def _name(text: str) -> str:
    try:
        return Metric.parse(text).name
    except InputError as error:
        raise ValueError(str(error)) from error


MetricName = Annotated[str, AfterValidator(_name)]
"""The name of a metric; pydantic refuses other texts."""


def is_metric(name: str) -> bool:
    """Return whether a text is the name of a metric.

    Example:
        >>> [is_metric(name) for name in ("nme", "fr8", "auc7.5", "fr08", "auc7.50", "map")]
        [True, True, True, False, False, False]
    """
    try:
        Metric.parse(name)
    except InputError:
        return False
    return True


def check_threshold(value: float) -> float:
    """Return a threshold, percent, or refuse it.

    Raises:
        InputError: it is not a number from 0.2 to 100, or has more than four decimals. Papers also write thresholds as
            fractions of the normaliser, 0.08 for 8 %, which are below 0.2.

    Example:
        >>> check_threshold(8)
        8.0
        >>> check_threshold(0.08)
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: threshold 0.08: must be from 0.2 to 100 percent; write 8 for 0.08 of the normaliser
    """
    number = float(value)
    if not _SMALLEST <= number <= _LARGEST:
        percent = f"; write {100 * number:g} for {number:g} of the normaliser" if 0 < number < _SMALLEST else ""
        raise InputError(f"threshold {number:g}: must be from {_SMALLEST:g} to {_LARGEST:g} percent{percent}")
    if float(threshold_text(number)) != number:
        raise InputError(f"threshold {number!r}: has more than {_DECIMALS} decimals; round it, such as 7.5")
    return number


def check_thresholds(values: Iterable[float]) -> tuple[float, ...]:
    """Return thresholds, percent, in their order; the first is the one that the report shows.

    Raises:
        InputError: there is none, there are more than eight, one is there twice, or one can't be used.

    Example:
        >>> check_thresholds([8, 10])
        (8.0, 10.0)
    """
    found = tuple(map(check_threshold, values))
    if not 1 <= len(found) <= _MOST_THRESHOLDS:
        raise InputError(f"{len(found)} thresholds: give one to {_MOST_THRESHOLDS}, in percent, such as 10")
    twice = next((value for value in found if found.count(value) > 1), None)
    if twice is not None:
        raise InputError(f"threshold {threshold_text(twice)}: is there twice; give it once")
    return found


def _checked(values: tuple[float, ...]) -> tuple[float, ...]:
    try:
        return check_thresholds(values)
    except InputError as error:
        raise ValueError(str(error)) from error


Thresholds = Annotated[tuple[Annotated[float, Field(strict=True)], ...], AfterValidator(_checked)]
"""Thresholds of FR and AUC, percent, as a pydantic field."""


def threshold_text(threshold: float) -> str:
    """Return a threshold as names and titles write it.

    Example:
        >>> threshold_text(10.0), threshold_text(7.5)
        ('10', '7.5')
    """
    text = f"{threshold:.{_DECIMALS}f}"
    return text.rstrip("0").rstrip(".")


def metric_names(thresholds: Iterable[float]) -> tuple[str, ...]:
    """Return the names of all metrics at some thresholds, in the order of every table.

    Example:
        >>> metric_names([8.0, 10.0])
        ('nme', 'fr8', 'auc8', 'fr10', 'auc10')
    """
    return (
        NME,
        *(Metric(kind, threshold).name for threshold in thresholds for kind in ("fr", "auc")),
    )


def in_metric_order(names: Iterable[str]) -> list[str]:
    """Return names of metrics with NME first, then by threshold, FR before AUC.

    Raises:
        InputError: no metric has one of the names.

    Example:
        >>> in_metric_order(["auc10", "fr10", "fr8", "nme"])
        ['nme', 'fr8', 'fr10', 'auc10']
    """
    found = {name: Metric.parse(name) for name in names}
    return sorted(found, key=lambda name: (found[name].threshold or 0.0, found[name].kind == "auc"))


def gather_rates(data: Any) -> Any:
    """Move the fields named ``frT`` and ``aucT`` of a table into its field ``rates``.

    Files have a field per metric, whose thresholds nobody can list; a pydantic model has the one field ``rates``, by
    metric. This is the model's validator ``before``, and :func:`spread_rates` its serializer.

    Example:
        >>> gather_rates({"nme": {"test": 3.0}, "fr8": {"test": 1.5}})
        {'nme': {'test': 3.0}, 'rates': {'fr8': {'test': 1.5}}}
    """
    if not isinstance(data, Mapping):
        return data
    found = {key: value for key, value in data.items() if isinstance(key, str) and key != NME and is_metric(key)}
    if not found:
        return data
    others = {key: value for key, value in data.items() if key not in found and key != "rates"}
    reported = {key: value for key, value in found.items() if value is not None and value != {}}
    return {**others, "rates": {**(data.get("rates") or {}), **reported}}


def spread_rates(dumped: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dumped model with the metrics of ``rates`` as fields of their own, in its place.

    Example:
        >>> spread_rates({"nme": {"test": 3.0}, "rates": {"fr8": {"test": 1.5}}})
        {'nme': {'test': 3.0}, 'fr8': {'test': 1.5}}
    """
    found: dict[str, Any] = {}
    for key, value in dumped.items():
        found |= value if key == "rates" else {key: value}
    return found


def check_rates(rates: Mapping[str, Mapping[str, SupportsFloat]]) -> None:
    """Refuse a failure rate outside 0 to 100 percent, an AUC outside 0 to 1, and NME, which is no rate.

    Args:
        rates: value by metric and subset.

    Raises:
        ValueError: a value is out of range; a pydantic validator may raise it.
    """
    for name, values in rates.items():
        metric = Metric.parse(name)
        if metric.threshold is None:
            raise ValueError(f"{name} has a field of its own")
        largest = 100.0 if metric.percent else 1.0
        for subset, value in values.items():
            if not 0 <= float(value) <= largest:
                unit = "percent" if metric.percent else "a fraction"
                raise ValueError(f"{name}.{subset}: {value} must be from 0 to {largest:g}, {unit}")
