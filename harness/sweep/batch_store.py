"""Finished batches on disk: one sealed file per batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.files import write_atomically

__all__ = ["BatchStore", "check_budget", "is_sealed", "unseal"]

_DIGEST_BYTES = 32
_LARGEST = 64 * 2**30


@dataclass(frozen=True)
class BatchStore:
    """A folder with one file per finished batch, each holding named arrays.

    A sweep keeps crops, network outputs, thumbnails and results in such stores. The folder's name is a cache key
    (:mod:`nmebench.sweep.keys`), so a store only ever holds results of the same inputs.

    A file is the SHA-256 of a safetensors file followed by that file. NumPy's own format would be parsed by
    ``ast.literal_eval``, in which Python 3.11 fails at random when several threads call it (python/cpython#106905).
    A batch is written to a temporary file and renamed: a
    process that is killed at any moment leaves complete batches only. Writing doesn't wait for the disk, which may
    take ten times as long as the rest: after a loss of power the last files may be damaged. A file that doesn't match
    its hash reads as missing, and its batch is computed again.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = BatchStore.open(Path(folder), "crops", "0123abcd")
        ...     store.write(7, {"crops": np.zeros((2, 4, 4, 3), np.uint8)})
        ...     7 in store, 8 in store, store.read(7)["crops"].shape
        (True, False, (2, 4, 4, 3))
    """

    folder: Path

    @classmethod
    def open(cls, root: Path, kind: str, key: str) -> BatchStore:
        """Return the store ``root/kind/KEY`` and create its folder.

        Args:
            root: the cache folder, or the work folder of a run.
            kind: the name of the arrays, such as ``crops``.
            key: the cache key.

        Raises:
            InputError: the folder can't be created.
        """
        folder = root / kind / key[:32]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{folder}: can't be written ({error.strerror}); set NMEBENCH_CACHE to a writable folder"
            ) from error
        return cls(folder)

    def _file(self, batch: int) -> Path:
        return self.folder / f"{batch}.batch"

    def __contains__(self, batch: int) -> bool:
        """Return True where the batch has a file. Only :meth:`read` checks its hash."""
        return self._file(batch).is_file()

    def read_sealed(self, batch: int) -> bytes | None:
        """Return the bytes of a batch's file, or None where it is missing, damaged or not a regular file."""
        try:
            sealed = read_bounded(self._file(batch), _LARGEST)
        except InputError:
            return None
        return sealed if is_sealed(sealed) else None

    def write_sealed(self, batch: int, sealed: bytes) -> None:
        """Store the bytes of a batch's file that another process computed; replaces the file where there is one.

        Raises:
            ValueError: the bytes don't match their hash.
            OSError: the disk is full or the folder can't be written.
        """
        if not is_sealed(sealed):
            raise ValueError(f"batch {batch}: the bytes don't match their hash")
        write_atomically(self._file(batch), sealed, durable=False)

    def remove(self, batch: int) -> None:
        """Remove a batch's file, if there is one."""
        self._file(batch).unlink(missing_ok=True)

    def read(self, batch: int) -> dict[str, np.ndarray] | None:
        """Return the arrays of a batch, or None where the file is missing, damaged or not a regular file."""
        sealed = self.read_sealed(batch)
        return None if sealed is None else unseal(sealed)

    def read_one(self, batch: int, name: str) -> np.ndarray | None:
        """Return one array of a batch, read-only, without a copy of the others; None as for :meth:`read`."""
        sealed = self.read_sealed(batch)
        return None if sealed is None else _one_of(memoryview(sealed)[_DIGEST_BYTES:], name)

    def write(self, batch: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Store the arrays of a batch; replaces the batch's file where there is one.

        Raises:
            OSError: the disk is full or the folder can't be written.
        """
        packed = safetensors.save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        write_atomically(self._file(batch), hashlib.sha256(packed).digest() + packed, durable=False)


def unseal(sealed: bytes) -> dict[str, np.ndarray] | None:
    """Return the arrays in the bytes of a batch's file, whose hash was checked; None where there are none."""
    try:
        arrays: dict[str, np.ndarray] = safetensors.load(sealed[_DIGEST_BYTES:])
    except (SafetensorError, KeyError, ValueError):  # sealed by another program
        return None
    return arrays


def _one_of(packed: memoryview, name: str) -> np.ndarray | None:
    """Return an array of bytes in a safetensors file: the length of its header, the header as JSON, and the data."""
    data = 8 + int.from_bytes(packed[:8], "little")
    try:
        found = json.loads(bytes(packed[8:data]))[name]
        first, last = found["data_offsets"]
        return np.frombuffer(packed[data + first : data + last], {"U8": np.uint8}[found["dtype"]])
    except (KeyError, ValueError, TypeError):  # sealed by another program
        return None


def is_sealed(sealed: bytes) -> bool:
    """Return True where the bytes of a batch's file match the SHA-256 with which they begin."""
    return hashlib.sha256(memoryview(sealed)[_DIGEST_BYTES:]).digest() == sealed[:_DIGEST_BYTES]


def check_budget(kind: str, expected_bytes: int, budget: int) -> None:
    """Refuse to keep more than the cache budget.

    Args:
        kind: the name of the arrays, used in the message.
        expected_bytes: bytes that the sweep would keep.
        budget: the limit in bytes, ``--cache-budget``.

    Raises:
        InputError: ``expected_bytes`` exceeds ``budget``.
    """
    if expected_bytes > budget:
        raise InputError(
            f"keeping the {kind} of this sweep takes {expected_bytes / 2**30:.2f} GiB, allowed: "
            f"{budget / 2**30:.2f} GiB; raise --cache-budget or set --limit"
        )
