"""The reported tables that apply to a network: those of its card, and published ones for the same checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat, model_validator

from nmebench import decoders, published
from nmebench.checks.rounded_value import RoundedValue, rounded_values
from nmebench.decoders.errors import DecoderError
from nmebench.metric_names import NME, MetricName, gather_rates, in_metric_order
from nmebench.models.table_protocol import table_protocol
from nmebench.protocol import DIRECT, Flip
from nmebench.runs.run_record import CellRecord, ModelRecord

__all__ = ["ReportedProtocol", "ReportedTable", "card_protocol", "row_table", "tables_for"]


class _Test(BaseModel):
    """The protocol of a card or table, as a run stores it."""

    decoder: str | None = None
    box: str | None = None
    flip: bool | Flip | None = None
    shift: bool | None = None
    shift_coords: bool | None = None


class _Table(_Test):
    """A reported table as a run stores it."""

    nme: dict[str, FiniteFloat] | None = None
    rates: dict[MetricName, dict[str, FiniteFloat] | None] = Field(default_factory=dict)
    tolerance: Annotated[FiniteFloat, Field(ge=0)] | None = None
    normaliser: str | None = None
    source: str | None = None

    _gather = model_validator(mode="before")(gather_rates)


class _StoredCard(BaseModel):
    """The parts of a stored card that the check reads. ``run.json`` may have been edited or damaged."""

    input: dict[str, Any] | None = None
    output: dict[str, Any] | None = None
    options: dict[str, Any] | None = None
    test: _Test | None = None
    reported: dict[str, dict[str, _Table]] | None = None


@dataclass(frozen=True)
class ReportedProtocol:
    """The protocol of a table; None for a setting that its source doesn't state or nmebench doesn't have."""

    decoder: str | None
    """Canonical decoder spec."""
    flip: str | None
    box: str | None
    normaliser: str | None

    def unknown(self) -> list[str]:
        """Names of the settings that are None."""
        return [name for name in ("decoder", "flip", "box", "normaliser") if getattr(self, name) is None]

    def differences(self, cell: CellRecord) -> dict[str, tuple[str, str]]:
        """Settings in which a cell differs from the table: name to (measured, reported)."""
        pairs = {
            "decoder": (canonical(cell.decoder), self.decoder),
            "flip": (cell.flip, self.flip),
            "box": (cell.box, self.box),
        }
        return {name: (a, b) for name, (a, b) in pairs.items() if b is not None and a != b}

    def __str__(self) -> str:
        return f"decoder {self.decoder}, flip {self.flip}, box {self.box}"


@dataclass(frozen=True)
class ReportedTable:
    """A reported table with its values as printed."""

    dataset: str
    name: str
    values: Mapping[MetricName, Mapping[str, RoundedValue]]
    """Metric, such as ``nme`` and ``fr8``, to subset to value: NME and FR in percent, AUC as a fraction."""
    tolerance: float
    """Allowed difference from the printed NME besides rounding, percent points."""
    protocol: ReportedProtocol
    source: str
    suspect: Mapping[str, str] = field(default_factory=dict)
    """Printed numbers that contradict others of the table, with the reason; see ``PublishedRow.suspect``."""
    auc_method: str | None = None
    """The source's way to compute AUC (``AUC_METHODS``); None for the exact area."""
    of_predictions: bool = False
    """True if the run's predictions were declared to be those of the table."""

    def doubt(self, metric: str, subset: str) -> str:
        """Return the reason why a printed number can't be right; empty for other numbers."""
        return self.suspect.get(metric) or self.suspect.get(f"{metric}.{subset}", "")


def canonical(spec: str) -> str:
    """The canonical spec of a decoder; the text itself when no such decoder is registered.

    Example:
        >>> canonical("dark:kernel=11")
        'dark'
    """
    if spec == DIRECT:
        return spec
    try:
        return decoders.from_spec(spec).spec
    except DecoderError:
        return spec


def _values(raw: Mapping[str, Any]) -> Mapping[MetricName, Mapping[str, float]]:
    """Metric to subset to value of a stored table, without metrics that it doesn't report."""
    table = _Table.model_validate(raw)
    found = {name: values for name, values in ((NME, table.nme), *table.rates.items()) if values}
    return {name: found[name] for name in in_metric_order(found)}


def _protocol(card: Mapping[str, Any], raw: Mapping[str, Any]) -> ReportedProtocol:
    protocol = table_protocol(card, raw)
    return ReportedProtocol(
        decoder=canonical(protocol.decoder) if protocol.decoder else None,
        flip=protocol.flip,
        box=protocol.box,
        normaliser=protocol.normaliser,
    )


def card_protocol(model: ModelRecord) -> ReportedProtocol:
    """Return the protocol with which a network's card tests it, whether or not the card reports a table.

    The decoder's spec is as the card writes it: nothing imports the decoder.

    Raises:
        pydantic.ValidationError: the card in ``run.json`` is damaged.
    """
    _StoredCard.model_validate(model.card)
    protocol = table_protocol(model.card, {})
    return ReportedProtocol(protocol.decoder, protocol.flip, protocol.box, protocol.normaliser)


def tables_for(model: ModelRecord, *, with_published: bool = True) -> Iterator[ReportedTable]:
    """Yield the tables of a network: its card's, then published ones of a checkpoint with the same hash.

    A published table whose source the card already names is left out.

    Raises:
        pydantic.ValidationError: the card in ``run.json`` is damaged.
    """
    card = model.card
    _StoredCard.model_validate(card)
    sources = set()
    for dataset, by_name in (card.get("reported") or {}).items():
        for name, raw in by_name.items():
            sources.add(str(raw.get("source")))
            yield ReportedTable(
                dataset=dataset,
                name=name,
                values={metric: rounded_values(metric, values) for metric, values in _values(raw).items()},
                tolerance=float(raw.get("tolerance") or 0),
                protocol=_protocol(card, raw),
                source=str(raw.get("source", "")),
            )
    if with_published and model.weights_sha256:
        for row in published.load():
            if row.source not in sources and row.sha256_prefix and model.weights_sha256.startswith(row.sha256_prefix):
                yield row_table(row)


def row_table(row: published.PublishedRow, *, of_predictions: bool = False) -> ReportedTable:
    """Return the table of a published row.

    Args:
        row: the row.
        of_predictions: the run's predictions were declared to be those of the row.
    """
    return ReportedTable(
        dataset=row.dataset,
        name=row.method,
        values={metric: rounded_values(metric, row.values(metric)) for metric in in_metric_order([NME, *row.rates])},
        tolerance=0.0,
        protocol=ReportedProtocol(
            decoder=canonical(row.protocol.decoder) if row.protocol.decoder else None,
            flip=row.protocol.flip,
            box=row.protocol.box,
            normaliser=row.protocol.normaliser,
        ),
        source=row.source,
        suspect=row.suspect,
        auc_method=row.protocol.auc_method,
        of_predictions=of_predictions,
    )
