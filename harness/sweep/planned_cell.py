"""Plans a cell of a sweep: its record for ``run.json``, its decoder and its cache key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nmebench import models
from nmebench.decoders.interface import Decoder
from nmebench.errors import InputError
from nmebench.geometry.point_mapping import PointMapping
from nmebench.protocol import DIRECT, Flip
from nmebench.runs.cell_id import MAX_CELL_ID, cell_id
from nmebench.runs.run_record import CellRecord, MappingRecord
from nmebench.sweep import keys

__all__ = ["PlannedCell", "check_ids", "plan_cell"]


@dataclass(frozen=True)
class PlannedCell:
    """One cell of a sweep."""

    record: CellRecord
    decoder: Decoder | None
    """None for a network that outputs landmarks."""
    key: str
    """:func:`nmebench.sweep.keys.cell_key`."""


def plan_cell(
    built: models.Built,
    decoder: Decoder | None,
    flip: Flip,
    box: str,
    network_key: str,
    mapping: PointMapping | None,
) -> PlannedCell:
    """Plan a cell: its record and its cache key.

    Args:
        built: the network.
        decoder: None for a network that outputs landmarks.
        flip: the flip test.
        box: name of the box rule.
        network_key: :func:`nmebench.sweep.keys.network_key`.
        mapping: the mapping of the landmarks to the data set's scheme; None where both are the same.
    """
    spec = decoder.spec if decoder else DIRECT
    record = CellRecord(
        id=cell_id(built.card.name, spec, flip, box, mapping.name if mapping else ""),
        model=built.card.name,
        decoder=spec,
        flip=flip,
        box=box,
        convention=decoder.chain.map if decoder and decoder.chain else built.grid,
        mixed=decoder is not None and _mixed(built, decoder),
        mapping=_mapping_record(mapping) if mapping else None,
    )
    return PlannedCell(record, decoder, keys.cell_key(network_key, decoder, flip, mapping))


def _mapping_record(mapping: PointMapping) -> MappingRecord:
    return MappingRecord(
        origin=mapping.origin.name, target=mapping.target.name, sha256=mapping.sha256, source=mapping.source
    )


def check_ids(cells: Sequence[CellRecord]) -> None:
    """Refuse cells whose files would have one name, which only differ in letters that :func:`cell_id` replaces.

    Raises:
        InputError: two cells have one id, or an id is too long for a file name.
    """
    by_id: dict[str, CellRecord] = {}
    for cell in cells:
        other = by_id.setdefault(cell.id, cell)
        if other is not cell:
            one, two = (f"{c.model!r} with {c.decoder}, {c.flip}, {c.box}" for c in (other, cell))
            raise InputError(
                f"{one} and {two} would both be stored as {cell.id!r}; give the networks names that differ in more "
                "than upper case and special characters"
            )
        if len(cell.id) > MAX_CELL_ID:
            raise InputError(
                f"{cell.id[:80]}...: the name of this cell's files has {len(cell.id)} characters, allowed: "
                f"{MAX_CELL_ID}; give the network a shorter name or the decoder fewer options"
            )


def _mixed(built: models.Built, decoder: Decoder) -> bool:
    """Return True if a preset reads the maps of a network that was trained in another grid.

    Cards can't name the grids of some presets. A card that names such a preset as its own decoder states that its
    network was trained for it.
    """
    if decoder.chain is None or decoder.chain.grid == built.grid:
        return False
    own = (built.card.test.decoder or "").partition(":")[0]
    return decoder.chain.grid is not None or own != decoder.name
