"""A partial download and what is known of it: enough to ask for the rest, in this command or the next."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nmebench.files import write_atomically

__all__ = ["PartFile", "PartRecord"]


@dataclass(frozen=True)
class PartRecord:
    """Where the bytes came from."""

    address: str
    """The source's first address: later ones may carry tokens."""
    validator: str | None
    """A strong ETag or a Last-Modified date, for If-Range."""
    total: int | None
    """Length of the whole, bytes."""


class PartFile:
    """``NAME.part`` and its record ``NAME.part.json``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._record = path.with_name(f"{path.name}.json")

    @property
    def size(self) -> int:
        """Bytes that came so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def known(self, address: str) -> PartRecord | None:
        """What is known of the bytes, if they may be continued from ``address``; else None."""
        try:
            part = PartRecord(**json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None  # nothing known: the download starts anew
        # Without a validator, an unchanged length is the least that must hold; the downloader asks for it.
        usable = part.address == address and (part.validator is not None or part.total is not None)
        return part if usable else None

    def remember(self, part: PartRecord) -> None:
        """Write the record, before the first byte."""
        write_atomically(self._record, json.dumps(vars(part)) + "\n")

    def discard(self) -> None:
        """Forget bytes and record."""
        self.path.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def hand_over(self, target: Path) -> None:
        """Move the complete file to ``target``."""
        self.path.replace(target)
        self._record.unlink(missing_ok=True)
