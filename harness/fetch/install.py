"""Putting a complete file in its place: verified, unpacked, recorded. Opens no connection."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nmebench.errors import InputError
from nmebench.fetch import lockfile
from nmebench.fetch.archive import unpack, unpacked_from
from nmebench.fetch.sources import Source
from nmebench.printable import shown

__all__ = ["in_place", "install", "verify"]


def in_place(source: Source, cache: Path) -> bool:
    """Whether a source's file is where it belongs and is the one that was recorded.

    Raises:
        InputError: something else is in its place.
    """
    place = source.place(cache)
    if not place.exists():
        return False
    if source.unpacks_to:
        made_from = unpacked_from(place)
        recorded = lockfile.read(cache).get(source.name)
        if made_from is None:
            raise InputError(
                f"{shown(place)}: is there already, and nmebench didn't unpack it; to use a copy of your own set "
                "NMEBENCH_WFLW to the folder above it, else move it away"
            )
        if recorded is not None and made_from.sha256 != recorded.sha256:
            raise InputError(
                f"{shown(place)}: was unpacked from another {source.file} than {lockfile.LOCK_NAME} records; move it "
                "away and fetch again"
            )
        entry = lockfile.Recorded(source.file, made_from.sha256, made_from.packed, "unpacked before")
    else:
        try:
            sha256 = verify(source, place, cache)
        except InputError as error:
            raise InputError(f"{error}; the file in the way is {shown(place)}: move it away") from error
        entry = lockfile.Recorded(source.file, sha256, place.stat().st_size, "found in the cache")
    lockfile.record(cache, source.name, entry)
    return True


def verify(source: Source, path: Path, cache: Path) -> str:
    """Check a complete file against everything that is known of it.

    Returns:
        Its sha256.

    Raises:
        InputError: length, sha256, the sha256's beginning in its name, or the lock file's record differ.
    """
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{source.file}: 0 bytes; download it again")
    if size > source.max_bytes or (source.bytes is not None and size != source.bytes):
        allowed = source.bytes if source.bytes is not None else f"at most {source.max_bytes}"
        raise InputError(f"{source.file}: {size} bytes, expected {allowed}; it is another file; download it again")
    with path.open("rb") as file:
        if file.read(512).lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
            raise InputError(
                f"{source.file}: a web page under a file's name (a login, or a quota used up); download the file "
                f"itself from {source.page or source.address}"
            )
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    recorded = lockfile.read(cache).get(source.name)
    for expected, says in (
        (source.sha256, "its source says"),
        (source.hash_prefix, "its name says"),
        (recorded.sha256 if recorded else None, f"{lockfile.LOCK_NAME} recorded"),
    ):
        if expected is not None and not sha256.startswith(expected):
            raise InputError(
                f"{source.file}: sha256 {sha256[: max(8, min(len(expected), 16))]}..., but {says} {expected[:16]}"
                f"{'...' if len(expected) > 16 else ''}; the bytes are not the published ones: it was not put in "
                "place; fetch it again, or compare with another copy"
            )
    return sha256


def install(source: Source, archive: Path, sha256: str, cache: Path, *, origin: str) -> Path:
    """Put a verified file in its place (archives: unpack them) and record it."""
    place = source.place(cache)
    size = archive.stat().st_size
    if source.unpacks_to:
        unpack(
            archive,
            place,
            max_bytes=source.max_unpacked,
            max_files=source.max_files,
            top=source.top,
            expects=source.expects,
            sha256=sha256,
        )
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        archive.replace(place)
    lockfile.record(cache, source.name, lockfile.Recorded(source.file, sha256, size, origin))
    return place
