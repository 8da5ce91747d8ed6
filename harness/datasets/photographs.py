"""The content of a dataset's photographs: one hash for cache keys, and remarks on files that other readers refuse."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nmebench.bounded_read import read_bounded
from nmebench.datasets import photograph_hashes
from nmebench.datasets.photograph_hashes import Content
from nmebench.errors import InputError
from nmebench.geometry import images
from nmebench.printable import shown

__all__ = ["PhotographSurvey", "survey_photographs"]

#: Threads that read and hash; the processor and the disk work at the same time.
_WORKERS: Final = 2

_UNREADABLE: Final = "unreadable"


@dataclass(frozen=True)
class PhotographSurvey:
    """The result of reading every photograph of a dataset once."""

    sha256: str
    """Hash of every photograph's name and content, 64 hexadecimal digits; empty without photographs."""
    notes: tuple[str, ...]
    """Remarks for the run, one line each."""
    contents: Mapping[str, bytes] = field(default_factory=dict)
    """SHA-256 of each photograph's content by name; empty bytes for one that can't be read."""


def survey_photographs(folder: Path | None, names: Iterable[str]) -> PhotographSurvey:
    """Hash the content of every photograph once.

    Size and modification time do not identify a photograph: copies, restored backups and converters keep both. Reading
    and hashing takes 0.5 ms per photograph of WFLW; decoding it takes 10 ms. From a thousand photographs on, hashes of
    files that the kernel hasn't changed since are remembered (:mod:`nmebench.datasets.photograph_hashes`).

    A photograph that can't be read is part of the hash as such. It is no error here, because ``oracle`` needs no
    photograph; the crop loader names it.

    Args:
        folder: the folder that the names are relative to; None where there are no photographs.
        names: the photographs; repeated names are read once.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     _ = (Path(name) / "a.jpg").write_bytes(b"1")
        ...     first = survey_photographs(Path(name), ["a.jpg"]).sha256
        ...     _ = (Path(name) / "a.jpg").write_bytes(b"2")
        ...     first == survey_photographs(Path(name), ["a.jpg"]).sha256
        False
    """
    if folder is None:
        return PhotographSurvey("", ())
    unique = list(dict.fromkeys(names))
    digest = hashlib.sha256()
    contents: dict[str, bytes] = {}
    without_end: list[str] = []
    found = photograph_hashes.contents(folder, unique, _inspect, workers=_WORKERS)
    for name, content in zip(unique, found, strict=True):
        text = content.sha256.hex() or _UNREADABLE
        digest.update(f"{len(name)}\0{name}\0{text}\n".encode("utf-8", "surrogateescape"))
        contents[name] = content.sha256
        if content.lacks_end:
            without_end.append(name)
    notes = []
    if without_end:
        notes.append(
            f"{len(without_end)} photographs have no end marker, the first is {shown(without_end[0])}: their pictures "
            "are complete, but other readers may refuse them"
        )
    return PhotographSurvey(digest.hexdigest(), tuple(notes), contents)


def _inspect(path: Path) -> Content:
    """Read a photograph."""
    try:
        data = read_bounded(path, images.MAX_BYTES)
    except InputError:
        return Content(b"", lacks_end=False)
    return Content(hashlib.sha256(data).digest(), images.lacks_end_marker(data))
