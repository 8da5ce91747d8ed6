"""The content of a dataset's photographs: one hash for cache keys, and remarks on files that other readers refuse."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nmebench.bounded_read import read_bounded
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
    """Read every photograph once and hash its content.

    Size and modification time do not identify a photograph: copies, restored backups and converters keep both. Reading
    and hashing takes 0.5 ms per photograph of WFLW; decoding it takes 10 ms.

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
    with ThreadPoolExecutor(_WORKERS, "hash") as pool:
        for name, (content, lacks_end) in zip(
            unique, pool.map(lambda one: _inspect(folder / one), unique), strict=True
        ):
            digest.update(f"{len(name)}\0{name}\0{content}\n".encode("utf-8", "surrogateescape"))
            contents[name] = b"" if content == _UNREADABLE else bytes.fromhex(content)
            if lacks_end:
                without_end.append(name)
    notes = []
    if without_end:
        notes.append(
            f"{len(without_end)} photographs have no end marker, the first is {shown(without_end[0])}: their pictures "
            "are complete, but other readers may refuse them"
        )
    return PhotographSurvey(digest.hexdigest(), tuple(notes), contents)


def _inspect(path: Path) -> tuple[str, bool]:
    """Return the SHA-256 of a photograph, and whether it is a JPEG without an end marker."""
    try:
        data = read_bounded(path, images.MAX_BYTES)
    except InputError:
        return _UNREADABLE, False
    return hashlib.sha256(data).hexdigest(), images.lacks_end_marker(data)
