"""What ``run.json`` holds: typed records, a docstring under every field, versioned."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nmebench.files import FileHash
from nmebench.protocol import Flip

__all__ = [
    "SCHEMA_VERSION",
    "CellRecord",
    "DatasetRecord",
    "ModelRecord",
    "Provenance",
    "RunRecord",
]

SCHEMA_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class DatasetRecord(_Record):
    """The faces that were measured."""

    name: str
    """``wflw``, ``synthface``, ...: decides which reported tables apply."""
    spec: str
    """What the user gave, such as ``wflw:PATH``."""
    format: str
    """The annotation format that was read."""
    scheme: str
    """Landmark scheme, such as ``wflw98``."""
    split: str = "test"
    faces: int
    """Faces in this run."""
    expected: dict[str, int] = Field(default_factory=dict)
    """Faces of the complete set by subset, where that is known."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Faces in this run by subset; a subset that the files don't tell is absent."""
    groups: dict[str, list[int]] = Field(default_factory=dict)
    """Named groups of landmarks of the scheme."""
    files: list[FileHash] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    coverage: str = ""
    """How much of the whole this is, in words: ``143 of 2500 faces``."""

    @property
    def complete(self) -> bool:
        """Whether every subset has the number of faces of the complete set."""
        return bool(self.expected) and all(self.counts.get(s) == n for s, n in self.expected.items())

    def describe(self) -> str:
        """Such as ``143 of 2500 faces``, or ``500 faces`` where no complete set is known."""
        return self.coverage or f"{self.faces} faces"


class ModelRecord(_Record):
    """A network, as it ran."""

    name: str
    """The card's name; unique in a run."""
    architecture: str
    card: dict[str, Any]
    """The whole card, as JSON; its ``reported`` tables are what ``check`` compares with."""
    card_file: str | None = None
    """Name of the card's file, or None for a model without a card."""
    weights_sha256: str | None = None
    weights_name: str | None = None
    parameters: int | None = None
    renamed: int = 0
    """Weights whose names were translated from another code base's."""
    input_size: tuple[int, int]
    """Width, height of the crop, input px."""
    heatmap_size: tuple[int, int] | None = None
    """Width, height of the heatmaps, or None when the network gives landmarks."""
    engine: str = "torch"
    engine_details: dict[str, Any] = Field(default_factory=dict)
    engine_difference: float | None = None
    """Largest absolute difference to plain float32 torch on the run's first faces."""
    batch_size: int | None = None
    """Faces a batch."""


class CellRecord(_Record):
    """One combination of network, decoder and test-time options."""

    id: str
    model: str
    decoder: str
    """Canonical decoder spec, such as ``dark:kernel=17``; ``direct`` for networks that give landmarks."""
    flip: Flip
    box: str
    convention: str = "stride"
    counts: dict[str, int] = Field(default_factory=dict)
    """What the decoder counted over all landmarks: ``empty`` maps, ``steps_over_1px`` and the like."""


class Provenance(_Record):
    """Everything that a number may depend on besides data and weights."""

    nmebench: str
    git_commit: str | None = None
    git_dirty: bool | None = None
    code_sha256: str = ""
    """Hash over the source files of ``harness``, ``models`` and ``decoders``."""
    command: list[str] = Field(default_factory=list)
    packages: dict[str, str] = Field(default_factory=dict)
    python: str = ""
    threads: int = 0
    deterministic: bool = False
    seed: int = 0
    host: dict[str, str] = Field(default_factory=dict)
    """Processor, system and memory of the machine: informative, never part of a comparison."""


class RunRecord(_Record):
    """``run.json``."""

    schema_version: int = SCHEMA_VERSION
    kind: Literal["sweep", "score"] = "sweep"
    title: str = ""
    configuration: dict[str, Any] = Field(default_factory=dict)
    """The sweep as it was asked for; enough to ask for it again."""
    normaliser: str = "inter-ocular"
    dataset: DatasetRecord
    models: list[ModelRecord]
    cells: list[CellRecord]
    provenance: Provenance
    not_run: list[str] = Field(default_factory=list)
    """What was left out and how to get it, a sentence each."""
