"""Finished batches on disk, so that a killed sweep goes on where it was and ends with the same bytes.

Every cell has two arrays that are written in place (landmarks and confidence) and a journal: one JSON line a finished
batch with a checksum of the rows it wrote. A line counts only if it is whole and its checksum holds. The cell's key is
in the file names: it is a hash of all that the numbers depend on, so whatever has changed finds no journal and is
computed again, and whatever has not is kept.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nmebench.files import write_atomically

__all__ = ["CellJournal"]


@dataclass
class CellJournal:
    """The growing results of one cell: landmarks ``[N, K, 2]`` image px and confidence ``[N, K]``, both float32."""

    folder: Path
    key: str
    faces: int
    points: int
    _done: dict[int, dict[str, int]] = field(default_factory=dict, repr=False)
    _starts: dict[Path, int] = field(default_factory=dict, repr=False)
    """Where the values of each array begin in its file, bytes."""

    @property
    def _landmarks(self) -> Path:
        return self.folder / f"{self.key}.landmarks.npy"

    @property
    def _confidence(self) -> Path:
        return self.folder / f"{self.key}.confidence.npy"

    @property
    def _lines(self) -> Path:
        return self.folder / f"{self.key}.jsonl"

    def open(self, batches: Sequence[np.ndarray]) -> CellJournal:
        """Create the arrays, or find out which of ``batches`` (rows of each) an earlier process has finished."""
        shape = (self.faces, self.points, 2)
        usable = self._lines.is_file() and self._shape(self._landmarks) == shape
        usable = usable and self._shape(self._confidence) == shape[:2]
        if not usable:
            self._lines.unlink(missing_ok=True)
            for file, wanted in ((self._landmarks, shape), (self._confidence, shape[:2])):
                stored = np.lib.format.open_memmap(file, "w+", np.float32, wanted)
                stored.flush()
                self._starts[file] = stored.offset
            self._lines.touch()
            return self
        landmarks, confidence = self._arrays("r")
        self._starts = {self._landmarks: landmarks.offset, self._confidence: confidence.offset}
        kept: list[str] = []
        for line in self._lines.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
                batch, crc, counts = int(entry["batch"]), int(entry["crc"]), dict(entry["counts"])
                rows = batches[batch]
            except (json.JSONDecodeError, KeyError, TypeError, IndexError, ValueError):
                continue  # the line that was being written when the process ended
            if crc == _checksum(landmarks[rows], confidence[rows]):
                self._done[batch] = counts
                kept.append(line + "\n")
        # A torn last line would swallow the next one that is appended.
        write_atomically(self._lines, "".join(kept))
        return self

    @staticmethod
    def _shape(file: Path) -> tuple[int, ...] | None:
        try:
            return tuple(np.load(file, mmap_mode="r", allow_pickle=False).shape)
        except (OSError, ValueError, EOFError):
            return None

    def _arrays(self, mode: str) -> tuple[np.memmap, np.memmap]:
        return (
            np.lib.format.open_memmap(self._landmarks, mode),
            np.lib.format.open_memmap(self._confidence, mode),
        )

    def __contains__(self, batch: int) -> bool:
        return batch in self._done

    def write(
        self,
        batch: int,
        rows: np.ndarray,
        landmarks: np.ndarray,
        confidence: np.ndarray,
        counts: Mapping[str, int],
    ) -> None:
        """Store a batch: first the rows, then the line that says that they are there."""
        landmarks, confidence = np.asarray(landmarks, np.float32), np.asarray(confidence, np.float32)
        for file, values in ((self._landmarks, landmarks), (self._confidence, confidence)):
            with file.open("r+b") as stored:
                for row, value in zip(rows.tolist(), values, strict=True):
                    stored.seek(self._starts[file] + row * value.nbytes)
                    stored.write(value.tobytes())
        entry = {"batch": batch, "counts": dict(counts), "crc": _checksum(landmarks, confidence)}
        with self._lines.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(entry) + "\n")
        self._done[batch] = dict(counts)

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks and confidence of all faces, as read-only maps of the files."""
        return self._arrays("r")

    def counts(self) -> dict[str, int]:
        """What the decoder counted, over all batches."""
        total: Counter[str] = Counter()
        for counts in self._done.values():
            total.update(counts)
        return dict(sorted(total.items()))


def _checksum(landmarks: np.ndarray, confidence: np.ndarray) -> int:
    return zlib.crc32(confidence.tobytes(), zlib.crc32(landmarks.tobytes()))
