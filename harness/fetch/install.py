"""Verify, unpack and record complete files. Opens no connection."""

from __future__ import annotations

import re
from pathlib import Path

from nmebench.errors import InputError
from nmebench.fetch import lockfile
from nmebench.fetch.archive import read_origin, unpack
from nmebench.fetch.sources import Source
from nmebench.files import file_sha256
from nmebench.printable import shown

__all__ = ["install", "is_installed", "verify"]

_HTML = re.compile(rb"\s*<(!doctype html|html|head|\?xml)", re.IGNORECASE)


def is_installed(source: Source, cache: Path) -> bool:
    """Return whether a source's file is installed; if so, add it to the lock file.

    Raises:
        InputError: the path is taken by another file or folder.
    """
    path = source.installed_path(cache)
    if not path.exists():
        return False
    if source.unpacks_to:
        origin = read_origin(path)
        recorded = lockfile.read(cache).get(source.name)
        if origin is None:
            raise InputError(
                f"{shown(path)}: already exists and wasn't unpacked by nmebench; to use your own copy, set "
                "NMEBENCH_WFLW to its parent folder; otherwise move it away"
            )
        if recorded is not None and origin.sha256 != recorded.sha256:
            raise InputError(
                f"{shown(path)}: was unpacked from another {source.file} than {lockfile.LOCK_NAME} records; move it "
                "away and fetch it again"
            )
        entry = lockfile.LockEntry(source.file, origin.sha256, origin.packed, "unpacked before")
    else:
        try:
            sha256 = verify(source, path, cache)
        except InputError as error:
            raise InputError(f"{error}; the wrong file is {shown(path)}: move it away") from error
        entry = lockfile.LockEntry(source.file, sha256, path.stat().st_size, "found in the cache")
    lockfile.record(cache, source.name, entry)
    return True


def verify(source: Source, path: Path, cache: Path) -> str:
    """Check the size, the content type and the hash of a complete file.

    Args:
        source: the expected size and hash.
        path: the file.
        cache: folder of the lock file.

    Returns:
        The file's SHA-256.

    Raises:
        InputError: the size is wrong, the file is a web page, or its SHA-256 differs from the one in the source, in
            the file's name or in the lock file.
    """
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{source.file}: 0 bytes; download it again")
    if size > source.max_bytes or (source.bytes is not None and size != source.bytes):
        allowed = source.bytes if source.bytes is not None else f"at most {source.max_bytes}"
        raise InputError(f"{source.file}: {size} bytes, expected {allowed}; it is another file; download it again")
    with path.open("rb") as file:
        if _HTML.match(file.read(512)):
            raise InputError(
                f"{source.file}: a web page under the file's name (a login, or an exhausted quota); download the file "
                f"itself from {source.page or source.address}"
            )
    sha256 = file_sha256(path)
    recorded = lockfile.read(cache).get(source.name)
    for expected, where in (
        (source.sha256, "the list of sources"),
        (source.hash_prefix, "its name"),
        (recorded.sha256 if recorded else None, lockfile.LOCK_NAME),
    ):
        if expected is not None and not sha256.startswith(expected):
            digits = max(8, min(len(expected), 16))
            raise InputError(
                f"{source.file}: SHA-256 {sha256[:digits]}..., expected {expected[:16]}... from {where}; these are not "
                "the published bytes and nothing was installed; download it again, or compare it with another copy"
            )
    return sha256


def install(source: Source, file: Path, sha256: str, cache: Path, *, origin: str) -> Path:
    """Unpack a verified archive, or move a verified file to its path, and record it in the lock file.

    Args:
        source: the source that the file belongs to.
        file: the verified file; an archive stays where it is.
        sha256: its hash.
        cache: the cache folder.
        origin: address of the download, or ``by hand``.

    Returns:
        The path of the installed file or folder.

    Raises:
        InputError: the archive can't be unpacked.
    """
    path = source.installed_path(cache)
    size = file.stat().st_size
    if source.unpacks_to:
        unpack(
            file,
            path,
            max_bytes=source.max_unpacked,
            max_files=source.max_files,
            top=source.top,
            expects=source.expects,
            sha256=sha256,
        )
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        file.replace(path)
    lockfile.record(cache, source.name, lockfile.LockEntry(source.file, sha256, size, origin))
    return path
