"""Relations that the numbers of one published row must satisfy, because they describe the same faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from nmebench.metric_names import NME, Metric
from nmebench.published.rows import PublishedRow

__all__ = ["contradictions"]

_Interval = tuple[Decimal, Decimal]

_NOISE = Decimal("1e-6")
"""Numbers closer than this are equal, in percent and as a fraction; FaRL's logs are exact to 3e-7 percent."""


def contradictions(row: PublishedRow, counts: Mapping[str, int]) -> dict[str, str]:
    """Return the numbers of a row that contradict its other numbers, with the reason.

    For the NME e (percent) of N faces and a threshold t (percent), the exact AUC is ``1 - mean(min(e, t)) / t``. A
    printed number represents all numbers that round to it. It follows that

    * AUC is at least ``1 - mean(e) / t``, because ``min(e, t) <= e``;
    * AUC is at most ``1 - FR``, because each face above the threshold adds 0;
    * NME is at least ``t * FR``, because each face above the threshold has at least t;
    * FR is a whole number of faces, up to one unit of the last decimal, because some sources truncate;
    * where the other subsets together are all faces, NME and FR of ``test`` are the means of theirs, weighted by the
      numbers of faces. AUC is left out: an area from a grid or a histogram is not such a mean.

    Args:
        row: the row; its values belong to one normaliser.
        counts: faces of the complete data set by subset; ``test`` is every face.

    Returns:
        ``METRIC.SUBSET``, or ``METRIC`` where the subsets contradict each other, to the reason.

    Example:
        >>> numbers = {"nme": {"test": "2.00"}, "auc8": {"test": "0.70"}}
        >>> row = PublishedRow(method="m", source="s", kind="authors", medium="text", reading="r", **numbers)
        >>> contradictions(row, {"test": 10})
        {'auc8.test': 'with an NME of 2.00 % the AUC is at least 0.749'}
    """
    found: dict[str, str] = {}
    for metric in (Metric.parse(name) for name in row.rates):
        if metric.kind == "auc":
            found |= _auc_contradictions(row, metric)
        else:
            found |= _failure_contradictions(row, metric, counts)
    for name in (NME, *(name for name in row.rates if Metric.parse(name).kind == "fr")):
        if reason := _subsets_contradiction(row, name, counts):
            found[name] = reason
    return found


def _interval(value: Decimal) -> _Interval:
    """The numbers that round to a printed one; the last digits of a log come from float32 and are noise."""
    exponent = value.as_tuple().exponent
    reach = Decimal(5).scaleb(min(exponent, 0) - 1) if isinstance(exponent, int) else Decimal(0)
    reach = max(reach, _NOISE)
    return value - reach, value + reach


def _auc_contradictions(row: PublishedRow, metric: Metric) -> Iterator[tuple[str, str]]:
    threshold = Decimal(repr(metric.threshold))
    failures = row.values(Metric("fr", metric.threshold).name)
    for subset, value in row.values(metric.name).items():
        low, high = _interval(value)
        if subset in row.nme:
            least = 1 - _interval(row.nme[subset])[1] / threshold
            if high < least:
                yield (
                    f"{metric.name}.{subset}",
                    f"with an NME of {row.nme[subset]} % the AUC is at least {_text(least)}",
                )
                continue
        if subset in failures:
            most = 1 - max(_interval(failures[subset])[0], Decimal(0)) / 100
            if low > most:
                yield f"{metric.name}.{subset}", f"with an FR of {failures[subset]} % the AUC is at most {_text(most)}"


def _failure_contradictions(row: PublishedRow, metric: Metric, counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    threshold = Decimal(repr(metric.threshold))
    for subset, value in row.values(metric.name).items():
        if subset in counts and not _is_whole(value, counts[subset]):
            yield f"{metric.name}.{subset}", f"{value} % is not a whole number of {counts[subset]} faces"
            continue
        least = threshold * _interval(value)[0] / 100
        if subset in row.nme and _interval(row.nme[subset])[1] < least:
            yield f"{metric.name}.{subset}", f"with an FR of {value} % the NME is at least {_text(least)} %"


def _is_whole(percent: Decimal, faces: int) -> bool:
    low, high = _interval(percent)
    unit = high - low
    nearest = (percent * faces / 100).to_integral_value()
    return abs(100 * nearest / faces - percent) < unit


def _subsets_contradiction(row: PublishedRow, name: str, counts: Mapping[str, int]) -> str:
    """The reason why the metric of ``test`` is not the weighted mean of the subsets; empty if it may be."""
    values = row.values(name)
    parts = [subset for subset in counts if subset != "test"]
    if "test" not in values or len(parts) < 2 or not all(subset in values for subset in parts):
        return ""
    if sum(counts[subset] for subset in parts) != counts["test"]:
        return ""
    means = [
        sum(counts[subset] * _interval(values[subset])[end] for subset in parts) / counts["test"] for end in (0, 1)
    ]
    low, high = _interval(values["test"])
    if means[0] <= high and low <= means[1]:
        return ""
    middle = sum((counts[subset] * values[subset] for subset in parts), Decimal(0)) / counts["test"]
    given = " and ".join(f"{values[subset]} ({subset})" for subset in parts)
    return f"{given} give {_text(middle)} for all faces, not {values['test']}"


def _text(value: Decimal) -> str:
    return f"{value:.3f}"
