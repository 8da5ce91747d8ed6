"""Batches of arrays kept on disk between sweeps: crops, or heatmaps for later decoder sweeps without the network."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmebench.errors import InputError
from nmebench.files import write_atomically

__all__ = ["BatchCache"]


@dataclass(frozen=True)
class BatchCache:
    """A folder of batches, one npz a batch, bounded in bytes.

    The folder's name is a hash of all that the arrays depend on, so a cache is right or not found. Each file starts
    with the SHA-256 of the rest; one that doesn't match is made again.
    """

    folder: Path

    @classmethod
    def open(cls, root: Path, kind: str, key: str, *, expected_bytes: int, budget: int) -> BatchCache:
        """The cache of ``kind`` under ``root`` with that key.

        Raises:
            InputError: the arrays would take more than ``budget`` bytes, or the folder can't be made.
        """
        if expected_bytes > budget:
            raise InputError(
                f"keeping the {kind} of this sweep takes {expected_bytes / 2**30:.2f} GiB, allowed: "
                f"{budget / 2**30:.2f} GiB; give a larger --cache-budget, or --limit"
            )
        folder = root / kind / key[:32]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{folder}: can't be written ({error.strerror}); set NMEBENCH_CACHE to a folder of yours"
            ) from error
        return cls(folder)

    def _file(self, batch: int) -> Path:
        return self.folder / f"{batch}.npz"

    def holds(self, batch: int) -> bool:
        """Whether a batch is there; :meth:`read` finds out whether it is whole."""
        return self._file(batch).is_file()

    def read(self, batch: int) -> dict[str, np.ndarray] | None:
        """The arrays of a batch; None when they aren't there or are damaged."""
        file = self._file(batch)
        if not self.holds(batch):
            return None
        stored = file.read_bytes()
        digest, payload = stored[:32], stored[32:]
        if hashlib.sha256(payload).digest() != digest:
            return None
        try:
            with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, ValueError, zipfile.BadZipFile):
            return None

    def write(self, batch: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Store the arrays of a batch."""
        sink = io.BytesIO()
        np.savez(sink, allow_pickle=False, **dict(arrays))
        payload = sink.getvalue()
        write_atomically(self._file(batch), hashlib.sha256(payload).digest() + payload)
