"""The typed records of ``shard.json`` (schema version 1)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from nmebench.metric_names import Thresholds
from nmebench.protocol import CropConvention
from nmebench.runs.run_record import CellRecord, DatasetRecord, ModelRecord, Provenance
from nmebench.runs.sweep_folder import FolderName
from nmebench.shards.shard import MOST_SHARDS, Shard

__all__ = ["SCHEMA_VERSION", "ShardCell", "ShardNetwork", "ShardPart", "ShardRecord"]

SCHEMA_VERSION: Final = 1

_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ShardCell(_Record):
    """A cell of a network."""

    key: _Hash
    """:func:`nmebench.sweep.keys.cell_key`."""
    record: CellRecord
    """Without counters, which the batches hold."""


class ShardNetwork(_Record):
    """A network on one box rule: the whole of it, and the batches in this shard."""

    model: str
    box: str
    key: _Hash
    """:func:`nmebench.sweep.keys.network_key`."""
    crops_key: _Hash
    """:func:`nmebench.sweep.keys.crops_key`."""
    weights_sha256: str | None = None
    batch_size: int = Field(ge=1)
    """Faces per batch."""
    batches: int = Field(ge=1)
    """Batches of all shards."""
    input_size: tuple[int, int]
    """Width, height of the crop in input px."""
    convention: CropConvention
    """The convention of the crop."""
    cells: tuple[ShardCell, ...]
    first: int = Field(default=0, ge=0)
    """The first batch in this shard."""
    results: tuple[_Hash, ...] = ()
    """SHA-256 of each consecutive batch of results in this shard, the first 32 bytes of its file."""
    thumbnails: tuple[_Hash, ...] = ()
    """SHA-256 of each consecutive batch of thumbnails; empty for a network that draws none."""

    @property
    def label(self) -> str:
        """``NETWORK (BOX)``."""
        return f"{self.model} ({self.box})"


class ShardPart(_Record):
    """The part of a shard on one data set."""

    folder: FolderName
    """Name of the run folder where the sweep has several data sets."""
    configuration: dict[str, Any]
    """The options of the sweep."""
    dataset: DatasetRecord
    faces_sha256: _Hash
    """:func:`nmebench.shards.compute_shard.faces_sha256`: the faces without their photographs."""
    normaliser: str
    thresholds: Thresholds
    not_run: list[str] = Field(default_factory=list)
    networks: tuple[ShardNetwork, ...] = Field(min_length=1)
    """All networks of the sweep, in the order of the plan."""
    models: list[ModelRecord] = Field(default_factory=list)
    """The networks that this shard ran."""
    boxes: _Hash
    """SHA-256 of the stored boxes of the first network."""
    thumbnails: bool
    """True if the first network draws thumbnails."""
    timings: dict[str, Any] = Field(default_factory=dict)
    """``timings.json`` of this part."""


class ShardRecord(_Record):
    """The content of ``shard.json``."""

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["nmebench shard"] = "nmebench shard"
    index: int = Field(ge=1, le=MOST_SHARDS)
    count: int = Field(ge=1, le=MOST_SHARDS)
    title: str = ""
    engine: str
    """Name of the engine that the sweep's option gave on this machine."""
    provenance: Provenance
    parts: tuple[ShardPart, ...] = Field(min_length=1)
    """One per data set."""

    @property
    def shard(self) -> Shard:
        """The number of this shard."""
        return Shard(self.index, self.count)
