"""The typed records of ``run.json`` (schema version 2). A docstring follows every field that needs one."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nmebench.files import FileHash
from nmebench.metric_names import Thresholds
from nmebench.printable import counted
from nmebench.protocol import THRESHOLD, Flip

__all__ = [
    "READABLE",
    "SCHEMA_VERSION",
    "CellRecord",
    "CheckpointRecord",
    "DatasetRecord",
    "MappingRecord",
    "ModelRecord",
    "Provenance",
    "RescoreRecord",
    "RunRecord",
    "ShardSource",
    "SourceRecord",
    "WorkerRecord",
]

SCHEMA_VERSION = 2
"""The version that is written. It has :attr:`RunRecord.thresholds`."""

READABLE = (1, 2)
"""The versions that are read. Version 1 has FR and AUC at 10 % alone."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class DatasetRecord(_Record):
    """The dataset that was measured."""

    name: str
    """``wflw``, ``synthface`` and so on; ``check`` reads the reported tables of this name."""
    spec: str
    """The data set as the user named it, such as ``wflw:PATH``."""
    format: str
    """The annotation format that was read."""
    scheme: str
    """Landmark scheme, such as ``wflw98``."""
    split: str = "test"
    faces: int
    """Faces in this run."""
    expected: dict[str, int] = Field(default_factory=dict)
    """Faces of the complete dataset by subset; empty where the numbers are not known."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Faces in this run by subset; a subset that the annotation files don't define is absent."""
    groups: dict[str, list[int]] = Field(default_factory=dict)
    """Landmark indices of each named group of the scheme."""
    files: list[FileHash] = Field(default_factory=list)
    """The annotation files."""
    notes: list[str] = Field(default_factory=list)
    """Remarks of the reader, one line each."""
    coverage: str = ""
    """The part of the complete dataset that was measured: ``143 of 2500 faces``."""

    @property
    def complete(self) -> bool:
        """True if every subset has as many faces as in the complete dataset."""
        return bool(self.expected) and all(self.counts.get(s) == n for s, n in self.expected.items())

    def describe(self) -> str:
        """Return ``coverage``, or ``500 faces`` where the size of the complete dataset is not known."""
        return self.coverage or counted(self.faces, "face")


class CheckpointRecord(_Record):
    """The place of a network among the checkpoints of one training."""

    series: str
    """Name that the checkpoints of the training share."""
    unit: Literal["epoch", "iteration"] | None = None
    step: int | None = None
    """Number of the epoch or iteration, from the file's name or the file itself; None if neither states one."""


class ModelRecord(_Record):
    """A network and how it was run."""

    name: str
    """The card's name; unique in a run."""
    architecture: str
    card: dict[str, Any]
    """The complete model card as JSON, without the changes of ``configuration``; ``check`` compares with its
    ``reported`` tables."""
    card_file: str | None = None
    """File name of the card; None for a model without a card."""
    weights_sha256: str | None = None
    weights_name: str | None = None
    state_sha256: str | None = None
    """Hash of everything that a network in memory holds; None for a network of a card, or without an exact hash."""
    checkpoint: CheckpointRecord | None = None
    """Set where the sweep measured several checkpoints of one training."""
    parameters: int | None = None
    renamed: int = 0
    """Number of weights whose names were translated from those of another code base."""
    input_size: tuple[int, int]
    """Width, height of the crop in input px."""
    heatmap_size: tuple[int, int] | None = None
    """Width, height of the heatmaps in heatmap px; None for a network that outputs landmarks."""
    engine: str = "torch"
    engine_details: dict[str, Any] = Field(default_factory=dict)
    engine_difference: float | None = None
    """Largest absolute difference to plain float32 torch on faces of the first batch."""
    batch_size: int | None = None
    """Faces per batch."""
    notes: list[str] = Field(default_factory=list)
    """Remarks about values of the card or outputs that are likely to be wrong, one line each."""


class MappingRecord(_Record):
    """The point mapping through which a network was measured on a data set of another landmark scheme."""

    origin: str
    """The network's scheme."""
    target: str
    """The data set's scheme."""
    sha256: str
    """Hash of its weights, :attr:`nmebench.geometry.point_mapping.PointMapping.sha256`."""
    source: str
    """The publication or code that defines it."""

    @property
    def label(self) -> str:
        """``wflw98 -> ibug68``."""
        return f"{self.origin} -> {self.target}"


class CellRecord(_Record):
    """One combination of network, decoder, flip test and box rule."""

    id: str
    """The name of the cell's files, made by :func:`nmebench.runs.cell_id.cell_id`."""
    model: str
    decoder: str
    """Canonical decoder spec, such as ``dark:kernel=17``; ``direct`` for a network that outputs landmarks."""
    flip: Flip
    box: str
    convention: str = "stride"
    """The map of the landmarks: a grid of :data:`nmebench.protocol.GRIDS`, or a preset's of
    :data:`nmebench.protocol.CHAIN_MAPS`."""
    mixed: bool = False
    """True if a preset decoded the heatmaps of a network that was trained in another grid. Such a cell says nothing
    about the network or the decoder, so it is labelled everywhere and never ranked."""
    mapping: MappingRecord | None = None
    """Set where the network has another scheme than the data set. Such a cell measures the mapping as well, so it is
    labelled everywhere and never compared with reported numbers."""
    counts: dict[str, int] = Field(default_factory=dict)
    """The decoder's counters over all landmarks, such as ``empty`` (maps) and ``steps_over_1px``."""

    @property
    def decoder_label(self) -> str:
        """The decoder's spec, followed by :data:`OTHER_GRID` for a mixed cell and by the mapping of a mapped one."""
        mapped = f" (mapped {self.mapping.label})" if self.mapping else ""
        return self.decoder + (OTHER_GRID if self.mixed else "") + mapped


OTHER_GRID = " (other grid)"
"""Label of the decoder of a mixed cell."""


class SourceRecord(_Record):
    """The source code of a plug-in, or of the working directory."""

    name: str
    """Name of the distribution; without one, of the top-level package or module; ``working directory``."""
    used_by: list[str] = Field(default_factory=list)
    """The models and decoders that use it, such as ``model my-network``."""
    distribution: str | None = None
    version: str | None = None
    sha256: str | None = None
    """Hash of the names and contents of its files; None for a working directory without Python files."""
    requirements: dict[str, str] = Field(default_factory=dict)
    """Version and hash of every installed distribution that the files import or require, by name."""
    git_commit: str | None = None
    """Commit of the repository that holds the files; None if no repository tracks them."""
    git_dirty: bool | None = None
    """True if the repository has changes that aren't committed, or if it doesn't track one of the files."""


class WorkerRecord(_Record):
    """A machine whose workers computed a part of a distributed sweep; its software was that of the driver."""

    host: str
    """Name of the machine."""
    arithmetic: dict[str, str] = Field(default_factory=dict)
    """Processor, instructions, GPU, threads per worker and environment; equal ones compute in the same way."""
    processes: int = 0
    """Worker processes that computed a range."""
    ranges: int = 0
    """Ranges of batches that were stored."""
    faces: int = 0
    """Faces of these ranges, counted once per network and box rule."""
    compared: int = 0
    """Batches that were computed a second time, to compare their bits with those of another machine."""
    engine_differences: dict[str, float] = Field(default_factory=dict)
    """Largest absolute difference of the engine to plain float32 torch, by network."""


class Provenance(_Record):
    """Code, packages and settings that a number may depend on besides data and weights."""

    nmebench: str
    """Version of nmebench."""
    git_commit: str | None = None
    git_dirty: bool | None = None
    code_sha256: str = ""
    """SHA-256 over the source files of ``harness``, ``models`` and ``decoders``."""
    plugins: list[SourceRecord] = Field(default_factory=list)
    """The sources outside nmebench that a number may depend on, and the working directory; sorted by name."""
    command: list[str] = Field(default_factory=list)
    packages: dict[str, str] = Field(default_factory=dict)
    """Installed versions by distribution."""
    python: str = ""
    threads: int = 0
    deterministic: bool = False
    seed: int = 0
    host: dict[str, str] = Field(default_factory=dict)
    """Processor, system and memory of the machine; informative, never compared."""
    workers: list[WorkerRecord] = Field(default_factory=list)
    """The machines of a distributed sweep; empty where this process computed everything."""


class RescoreRecord(_Record):
    """How a run was scored from the landmarks of another run; the rest of ``run.json`` is the other run's."""

    normaliser: str
    """The other run's."""
    thresholds: Thresholds
    """The other run's, percent."""
    run_sha256: str
    """Hash of the other run's ``run.json``."""
    nmebench: str
    """Version of nmebench that rescored."""
    code_sha256: str = ""
    command: list[str] = Field(default_factory=list)


class ShardSource(_Record):
    """A shard that a merged run was made of."""

    index: int
    """The number of the shard, from 1."""
    count: int
    """Shards of the sweep."""
    sha256: str
    """Hash of its ``shard.json``, which holds the hash of every batch."""
    command: list[str] = Field(default_factory=list)
    """The command line that computed it."""
    host: dict[str, str] = Field(default_factory=dict)
    """The machine that computed it, as :attr:`Provenance.host`."""


class RunRecord(_Record):
    """The content of ``run.json``."""

    schema_version: int = SCHEMA_VERSION
    kind: Literal["sweep", "score"] = "sweep"
    """``sweep``: networks were run; ``score``: stored predictions were scored."""
    title: str = ""
    configuration: dict[str, Any] = Field(default_factory=dict)
    """The options of the sweep; sufficient to repeat it."""
    normaliser: str = "inter-ocular"
    """Name of the normaliser of the landmark scheme."""
    thresholds: Thresholds = (THRESHOLD,)
    """Thresholds of FR and AUC, percent; they name the columns of ``scores.csv``. The first is the one that pages and
    lines with a single FR or AUC show."""
    rescored: RescoreRecord | None = None
    """Set where ``nmebench score`` made the run from the landmarks of another one."""
    dataset: DatasetRecord
    models: list[ModelRecord]
    cells: list[CellRecord]
    provenance: Provenance
    shards: list[ShardSource] = Field(default_factory=list)
    """The shards that `nmebench merge` made the run of; empty for a run of one command."""
    not_run: list[str] = Field(default_factory=list)
    """One sentence per part that was left out, with the way to get it."""
