"""Unpack zip, tar and tar.gz archives from the internet: every file, or nothing.

:mod:`nmebench.fetch.archive_members` checks each member before it is written.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmebench.bounded_read import read_json
from nmebench.errors import InputError
from nmebench.fetch.archive_members import Limits, Member, members_of
from nmebench.files import file_sha256
from nmebench.printable import shown

__all__ = ["MARKER", "Origin", "list_files", "read_origin", "unpack"]

#: File that `unpack` writes into the folder it makes; it names the archive.
MARKER = ".nmebench-archive.json"

_CHUNK = 1 << 18
_MAX_RATIO = 200.0
_MAX_MARKER = 1 << 20

_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)


@contextlib.contextmanager
def _one_line_errors(archive: Path) -> Iterator[None]:
    """Raise an InputError for every error that a damaged archive or a full disk can cause."""
    try:
        yield
    except InputError:
        raise
    except (OSError, *_DAMAGE) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(
                f"{shown(error.filename or archive)}: {error.strerror}; nothing was unpacked; free some space or "
                "choose another folder, then repeat the command"
            ) from error
        reason = shown(" ".join(str(error).split())) or type(error).__name__
        raise InputError(
            f"{shown(archive)}: damaged or cut short ({reason}); download it again, or unpack a good copy by hand"
        ) from error


def list_files(archive: Path, *, count: int = 200) -> list[str]:
    """Return the paths of the first files in an archive; [] if it is not one or not even its start can be read."""
    found: list[str] = []
    # Errors end the list: the files before the damage are enough to recognise an archive.
    with contextlib.suppress(InputError, OSError, *_DAMAGE):
        limits = Limits(archive, max_bytes=1 << 40, max_files=count, max_ratio=_MAX_RATIO)
        with contextlib.closing(members_of(limits)) as members:
            found.extend(str(member.path) for member in members if member.open is not None)
    return found


@dataclass(frozen=True)
class Origin:
    """The archive that a folder was unpacked from; ``packed`` is its size in bytes."""

    archive: str
    sha256: str
    packed: int


def read_origin(target: Path) -> Origin | None:
    """Return the archive that `unpack` made a folder from, or None if `unpack` didn't make it."""
    try:
        record: Any = read_json(target / MARKER, limit=_MAX_MARKER)
        return Origin(str(record["archive"]), str(record["sha256"]), int(record["packed"]))
    except (InputError, ValueError, KeyError, TypeError, OverflowError):
        return None


def unpack(
    archive: Path,
    target: Path,
    *,
    max_bytes: int,
    max_files: int,
    max_ratio: float = _MAX_RATIO,
    top: str | None = None,
    expects: Sequence[str] = (),
    sha256: str | None = None,
) -> Path:
    """Unpack an archive into the new folder ``target``.

    The files are written to a temporary folder beside ``target``, which is renamed at the end.

    Args:
        archive: a zip, tar or tar.gz file; its content decides, not its name.
        target: the folder to make. A folder that was made from the same archive is kept unchanged.
        max_bytes: largest total size of the files, in bytes.
        max_files: largest number of members, folders included.
        max_ratio: largest number of unpacked bytes per byte of the archive.
        top: name of the archive's top folder (``WFLW_images``); its content goes directly into ``target``.
        expects: glob patterns; each must match a file in ``target``.
        sha256: the archive's hash; computed if None.

    Returns:
        ``target``.

    Raises:
        InputError: the archive is unsafe, damaged or lacks an expected file, ``target`` is another folder, or the
            disk is full. Nothing is left behind.

    Example:
        >>> with tempfile.TemporaryDirectory() as name:
        ...     folder = Path(name)
        ...     with zipfile.ZipFile(folder / "data.zip", "w") as file:
        ...         file.writestr("WFLW_images/0--Parade/0_1.jpg", b"...")
        ...     _ = unpack(folder / "data.zip", folder / "out", max_bytes=100, max_files=5, top="WFLW_images")
        ...     sorted(path.name for path in (folder / "out").rglob("*.jpg"))
        ['0_1.jpg']
    """
    with _one_line_errors(archive):
        sha256 = sha256 or file_sha256(archive)
        if target.exists():
            origin = read_origin(target)
            if origin is not None and origin.sha256 == sha256:
                return target
            raise InputError(
                f"{shown(target)}: already exists and wasn't unpacked from {shown(archive.name)}; use it, or move "
                "it away"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        # Remove what killed commands left. No running command is affected, because the caller has locked the cache.
        for stale in target.parent.glob(f".{target.name}.unpack-*"):
            shutil.rmtree(stale)
        work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.unpack-"))
        try:
            files = work / "files"
            files.mkdir()
            limits = Limits(archive, max_bytes=max_bytes, max_files=max_files, max_ratio=max_ratio)
            with contextlib.closing(members_of(limits)) as members:
                for member in members:
                    _write(member, files, top)
            missing = [pattern for pattern in expects if next(files.glob(pattern), None) is None]
            if missing:
                raise InputError(
                    f"{shown(archive)}: contains no {missing[0]}, expected: {', '.join(expects)}; it is a different or "
                    "incomplete archive"
                )
            marker = {
                "archive": archive.name,
                "bytes": limits.bytes,
                "files": limits.members,
                "packed": limits.packed,
                "sha256": sha256,
            }
            (files / MARKER).write_text(json.dumps(marker, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            files.replace(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target


def _write(member: Member, folder: Path, top: str | None) -> None:
    """Write one member below ``folder``, without the top folder and without the files that macOS adds."""
    parts = member.path.parts[1:] if top and member.path.parts[:1] == (top,) else member.path.parts
    if not parts or "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] == ".DS_Store":
        return
    path = folder.joinpath(*parts)
    if member.open is None:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # "x": if two checked names are still the same file on this file system, that is an error.
    with member.open() as source, path.open("xb") as sink:  # type: ignore[union-attr]
        shutil.copyfileobj(source, sink, _CHUNK)
    path.chmod(0o644)
