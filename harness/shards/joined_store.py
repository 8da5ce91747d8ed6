"""The batches of one network, each in the folder of the shard that computed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.shards.fit import command_of
from nmebench.shards.shard_folder import ShardFolder
from nmebench.sweep.batch_store import BatchStore

__all__ = ["ANY", "FACES", "HeldBatch", "JoinedStore"]

ANY: Final = -1
"""A length that isn't checked."""

FACES: Final = -2
"""The number of the batch's faces."""


@dataclass(frozen=True)
class HeldBatch:
    """A batch in a shard."""

    shard: ShardFolder
    file: Path
    seal: str
    """The SHA-256 that ``shard.json`` states."""
    faces: int
    """Faces in the batch."""

    def damaged(self, why: str) -> InputError:
        """Return the error for this batch, with the command that computes it again."""
        command = command_of(self.shard, self.shard.shard)
        return InputError(f"{shown(self.file)}: {why}; compute it again with: {shown(command)}")


@dataclass(frozen=True)
class JoinedStore(BatchStore):
    """A store that reads every batch from its shard, and writes nothing."""

    held: Mapping[int, HeldBatch]
    shapes: Mapping[str, tuple[int, ...]]
    """The arrays of a batch and their shapes, with :data:`ANY` and :data:`FACES`."""

    def _file(self, batch: int) -> Path:
        return self.held[batch].file

    def read_sealed(self, batch: int) -> bytes:
        """Return the bytes of a batch's file.

        Raises:
            InputError: the file is missing, damaged or not the one that ``shard.json`` names.
        """
        held = self.held[batch]
        sealed = super().read_sealed(batch)
        if sealed is None:
            raise held.damaged("damaged" if held.file.exists() else "missing")
        if sealed[:32].hex() != held.seal:
            raise held.damaged(f"holds the batch {sealed[:32].hex()[:12]}, not {held.seal[:12]}")
        return sealed

    def read_one(self, batch: int, name: str) -> np.ndarray:
        """Return one array of a batch after the checks of :meth:`read`."""
        return self.read(batch)[name]

    def read(self, batch: int) -> dict[str, np.ndarray]:
        """Return the arrays of a batch.

        Raises:
            InputError: as for :meth:`read_sealed`, or an array is missing or has another shape.
        """
        held, arrays = self.held[batch], super().read(batch)
        if arrays is None:
            raise held.damaged("is no safetensors file")
        for name, shape in self.shapes.items():
            wanted = tuple(held.faces if length == FACES else length for length in shape)
            found = arrays[name].shape if name in arrays else None
            if (
                found is None
                or len(found) != len(wanted)
                or any(length not in (ANY, one) for one, length in zip(found, wanted, strict=True))
            ):
                raise held.damaged(f"the shape of {name} is {found}, not {wanted}")
        return arrays
