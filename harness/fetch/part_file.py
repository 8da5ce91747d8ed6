"""The received bytes of a download (``NAME.part``), and the version of the file that they belong to."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from nmebench.bounded_read import read_json
from nmebench.errors import InputError
from nmebench.fetch.sources import Source
from nmebench.files import write_atomically
from nmebench.printable import shown

__all__ = ["PartFile", "PartRecord"]

_MAX_RECORD_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class PartRecord:
    """Identifies the version of the file that a ``.part`` file contains."""

    address: str
    """The source's address, without the tokens that redirects add."""
    validator: str | None
    """Strong ETag or Last-Modified date, for If-Range."""
    total: int | None
    """Size of the complete file in bytes."""


class PartFile:
    """``NAME.part``, and its record ``NAME.part.json``, next to the file to download."""

    def __init__(self, source: Source, target: Path) -> None:
        """Name the files; nothing is read or written.

        Args:
            source: the file to download.
            target: path of the complete file; its folder must exist.
        """
        self.source = source
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self.record = target.with_name(f"{target.name}.part.json")

    @property
    def size(self) -> int:
        """Received bytes; 0 without a file."""
        return self.path.stat().st_size if self.path.exists() else 0

    def kept(self) -> str:
        """Return the end of an error message: how many bytes are kept. Empty if none are."""
        size = self.size
        return f" (the first {size} bytes are kept and the download resumes there)" if size else ""

    def discard(self) -> None:
        """Remove the received bytes and their record."""
        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def finish(self) -> None:
        """Move the complete file to its target and remove the record."""
        self.path.replace(self.target)
        self.record.unlink(missing_ok=True)

    def read_record(self) -> PartRecord | None:
        """Return the record if the received bytes can be continued; otherwise None, and the download starts again."""
        try:
            stored = read_json(self.record, limit=_MAX_RECORD_BYTES)
            record = PartRecord(**stored)
        except (InputError, TypeError):
            return None
        if not isinstance(stored["validator"], str | None) or not isinstance(stored["total"], int | None):
            return None
        # Without a validator, the size shows at least that the file wasn't replaced by one of another size.
        known = record.validator is not None or record.total is not None
        return record if known and record.address == self.source.address else None

    def write_record(self, validator: str | None, total: int | None) -> None:
        """Record the version of the file that :meth:`append` is about to store.

        Args:
            validator: as in :class:`PartRecord`.
            total: as in :class:`PartRecord`.

        Raises:
            InputError: the disk is full or the file can't be written.
        """
        with self._disk_errors():
            record = PartRecord(self.source.address, validator, total)
            write_atomically(self.record, json.dumps(asdict(record)) + "\n")

    def append(self, chunks: Iterable[bytes], offset: int) -> Generator[int, None, None]:
        """Store chunks and yield the file's size after each; stop after the first chunk beyond the source's limit.

        Args:
            chunks: the bytes of the file from ``offset`` on.
            offset: bytes of the file that are kept; later ones are overwritten.

        Raises:
            InputError: the disk is full or the file can't be written.
        """
        with self._disk_errors(), self.path.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.truncate()
            for chunk in chunks:
                file.write(chunk)
                file.flush()
                offset += len(chunk)
                yield offset
                if offset > self.source.max_bytes:
                    return

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{shown(self.path)}: {error.strerror}; free some space or choose another cache with NMEBENCH_CACHE, "
                f"then repeat the command{self.kept()}"
            ) from error
