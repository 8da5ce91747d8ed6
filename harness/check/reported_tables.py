"""The reported tables that apply to a network: its card's, and published ones for the same checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nmebench import decoders, published
from nmebench.check.rounded_value import RoundedValue, rounded_values
from nmebench.decoders.errors import DecoderError
from nmebench.models.table_protocol import table_protocol
from nmebench.protocol import DIRECT
from nmebench.runs.run_store import CellRecord, ModelRecord

__all__ = ["METRICS", "ReportedProtocol", "ReportedTable", "tables"]

METRICS = ("nme", "fr10", "auc10")
NORMALISER = "inter-ocular"


@dataclass(frozen=True)
class ReportedProtocol:
    """How a table was measured; None for what its source doesn't say."""

    decoder: str | None
    flip: str | None
    box: str | None
    normaliser: str | None = NORMALISER

    def unknown(self) -> list[str]:
        """What the source doesn't say, or what has no name here."""
        return [name for name in ("decoder", "flip", "box", "normaliser") if getattr(self, name) is None]

    def differences(self, cell: CellRecord) -> dict[str, tuple[str, str]]:
        """Where a cell was measured otherwise: name to (measured, reported)."""
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
    """A reported table: values as printed, protocol, tolerance (percent points of NME) and source."""

    dataset: str
    name: str
    values: Mapping[str, Mapping[str, RoundedValue]]
    tolerance: float
    protocol: ReportedProtocol
    source: str


def canonical(spec: str) -> str:
    """A decoder's canonical spec; the text itself where no such decoder is registered here."""
    if spec == DIRECT:
        return spec
    try:
        return decoders.from_spec(spec).spec
    except DecoderError:
        return spec


def tables(model: ModelRecord, *, with_published: bool = True) -> Iterator[ReportedTable]:
    """The tables of a network: the card's, then published ones of a checkpoint with the same hash."""
    card = model.card
    seen = set()
    for dataset, by_name in (card.get("reported") or {}).items():
        for name, raw in by_name.items():
            seen.add(str(raw.get("source")))
            yield ReportedTable(
                dataset=dataset,
                name=name,
                values={m: rounded_values(m, raw.get(m) or {}) for m in METRICS},
                tolerance=float(raw.get("tolerance") or 0),
                protocol=_card_protocol(card, raw),
                source=str(raw.get("source", "")),
            )
    if with_published and model.weights_sha256:
        for row in published.load():
            if row.source not in seen and row.sha256_prefix and model.weights_sha256.startswith(row.sha256_prefix):
                yield ReportedTable(
                    dataset=row.dataset,
                    name=row.method,
                    values={m: rounded_values(m, getattr(row, m)) for m in METRICS},
                    tolerance=0.0,
                    protocol=ReportedProtocol(
                        decoder=canonical(row.protocol.decoder) if row.protocol.decoder else None,
                        flip=row.protocol.flip,
                        box=row.protocol.box,
                        normaliser=row.protocol.normaliser,
                    ),
                    source=row.source,
                )


def _card_protocol(card: Mapping[str, Any], table: Mapping[str, Any]) -> ReportedProtocol:
    protocol = table_protocol(card, table)
    return ReportedProtocol(
        decoder=canonical(protocol.decoder) if protocol.decoder else None,
        flip=protocol.flip,
        box=protocol.box,
        normaliser=protocol.normaliser,
    )
