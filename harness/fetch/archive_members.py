"""The members of a zip, tar or tar.gz archive from the internet, each checked before it is read.

`tarfile` and `zipfile` read the archives, but their safeguards are too weak for downloads: ``tarfile.data_filter``
strips a leading slash and keeps links, ``ZipFile.extract`` silently drops ``..``, and neither limits sizes or notices
names that collide. Therefore `Limits` checks every member before it is written. It refuses

* absolute names and names with ``..``, a drive letter or a backslash (CVE-2007-4559);
* links, devices, pipes, sparse files and encrypted members, because a data set holds only folders and plain files;
* two members with one name, also when the names differ only in case or Unicode normal form and would overwrite each
  other on another file system;
* more members, more bytes or a higher compression ratio than allowed;
* archives that are cut short: gzip checksums and zip CRCs are verified, and a tar needs its end mark.
"""

from __future__ import annotations

import contextlib
import gzip
import stat
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, cast

from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["Limits", "Member", "archive_kind", "members_of"]

_CHUNK = 1 << 18
#: Longest single read of a tar, in bytes.
_MAX_READ = 1 << 24
#: The compression ratio is checked from this many unpacked bytes on, because small files of zeros are harmless.
_MIN_RATIO_BYTES = 1 << 20
_TAR_BLOCK = 512


@dataclass(frozen=True)
class Member:
    """A plain file or a folder in an archive; ``open`` is None for folders."""

    path: PurePosixPath
    open: Callable[[], IO[bytes] | None] | None


class Limits:
    """Counts the members and bytes of one archive and enforces its limits.

    The stated sizes are counted, because `tarfile` and `zipfile` never return more bytes of a member than its header
    states.
    """

    def __init__(self, archive: Path, *, max_bytes: int, max_files: int, max_ratio: float) -> None:
        self.archive = archive
        self.max_bytes = max_bytes
        self.max_files = max_files
        self.max_ratio = max_ratio
        self.packed = archive.stat().st_size
        self.bytes = 0
        self.members = 0
        self._is_folder: dict[str, bool] = {}

    def admit(self, name: str, size: int, *, folder: bool) -> PurePosixPath:
        """Count a member and return its path.

        Raises:
            InputError: the name is unsafe or used twice, or a limit is exceeded.
        """
        parts = [part for part in name.split("/") if part not in ("", ".")]
        drive = bool(parts) and parts[0][1:2] == ":"
        if name[:1] == "/" or "\\" in name or "\0" in name or ".." in parts or drive:
            raise self.refused(
                f"the member {shown(name)!r} would be written outside the target", "relative names without .."
            )
        for depth in range(1, len(parts) + 1):
            key = unicodedata.normalize("NFC", "/".join(parts[:depth])).casefold()
            is_folder = folder or depth < len(parts)
            # A folder may repeat: it is a member and also part of its files' names.
            if key in self._is_folder and not (is_folder and self._is_folder[key]):
                raise self.refused(
                    f"the member {shown(name)!r} is there twice (names that differ only in case count as the same)",
                    "each name once",
                )
            self._is_folder[key] = is_folder
        self.members += 1
        if self.members > self.max_files:
            raise self.refused(f"more than {self.max_files} members", f"at most {self.max_files}")
        self.bytes += size
        if self.bytes > self.max_bytes:
            raise self.refused(f"more than {self.max_bytes} bytes when unpacked", f"at most {self.max_bytes}")
        self.check_ratio(self.bytes)
        return PurePosixPath(*parts)

    def check_ratio(self, unpacked: int) -> None:
        """Raise InputError if ``unpacked`` bytes exceed the compression ratio."""
        if unpacked > _MIN_RATIO_BYTES and unpacked > self.max_ratio * max(self.packed, 1):
            raise self.refused(
                f"{unpacked} or more bytes from {self.packed}", f"a compression ratio of at most {self.max_ratio:g}"
            )

    def refused(self, found: str, allowed: str) -> InputError:
        """Return the error that says what was found and what is allowed."""
        return InputError(
            f"{shown(self.archive)}: not unpacked: {found}; allowed: {allowed}; download the archive again from its "
            "official page"
        )


class _TarStream:
    """A decompressed tar that refuses huge reads and limits the bytes read in total.

    `tarfile` reads an extended header in one piece, whatever length it states.
    """

    def __init__(self, stream: IO[bytes], limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self.last_read = b""
        # Headers and padding come on top of the files: at most three blocks for each member.
        self._max_position = limits.max_bytes + (limits.max_files + 1) * 3 * _TAR_BLOCK + _MAX_READ

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise self._limits.refused(f"a header of {size} bytes", f"at most {_MAX_READ}")
        data = self._stream.read(size)
        position = self._stream.tell()
        if position > self._max_position:
            raise self._limits.refused(
                f"more than {self._max_position} bytes of tar",
                f"at most {self._limits.max_bytes} bytes in {self._limits.max_files} files",
            )
        self._limits.check_ratio(position)
        self.last_read = data
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def archive_kind(path: Path) -> str | None:
    """Return ``zip``, ``tar.gz``, ``tar`` or None, from the file's first bytes; the name doesn't matter."""
    with path.open("rb") as file:
        head = file.read(265)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"):
        return "zip"
    if head[:2] == b"\x1f\x8b":
        return "tar.gz"
    return "tar" if head[257:262] == b"ustar" else None


def members_of(limits: Limits) -> Generator[Member, None, None]:
    """Yield the checked members of an archive in their order; each must be read before the next one is requested.

    Raises:
        InputError: the file is no archive, or a member breaks a rule of :class:`Limits`.
    """
    kind = archive_kind(limits.archive)
    if kind is None:
        raise InputError(
            f"{shown(limits.archive)}: not an archive (its first bytes are not those of a zip, tar or tar.gz); if a "
            "browser saved a web page under this name, download the file itself"
        )
    yield from _zip_members(limits) if kind == "zip" else _tar_members(limits, compressed=kind == "tar.gz")


def _zip_members(limits: Limits) -> Iterator[Member]:
    with zipfile.ZipFile(limits.archive) as file:
        for info in file.infolist():
            name = info.orig_filename  # `filename` may have lost its backslashes
            # The upper half is a Unix mode only if a Unix system wrote the member; 0 means that none was stored.
            kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise limits.refused(f"the member {shown(name)!r} is a link or a device", "plain files and folders")
            if info.flag_bits & 1:
                raise limits.refused(f"the member {shown(name)!r} is encrypted", "members without encryption")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise limits.refused(
                    f"the member {shown(name)!r} is compressed by method {info.compress_type}", "stored or deflated"
                )
            path = limits.admit(name, info.file_size, folder=info.is_dir())
            yield Member(path, None if info.is_dir() else partial(file.open, info))


def _tar_members(limits: Limits, *, compressed: bool) -> Iterator[Member]:
    with contextlib.ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(limits.archive.open("rb"))
        if compressed:
            file = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=file)))
        stream = _TarStream(file, limits)
        tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r:", errors="surrogateescape"))  # type: ignore[call-overload]
        for info in tar:
            if not (info.isreg() or info.isdir()) or info.issparse():
                raise limits.refused(
                    f"the member {shown(info.name)!r} is a link or a device", "plain files and folders"
                )
            if info.size < 0:
                raise tarfile.ReadError("a negative size")
            path = limits.admit(info.name, info.size, folder=info.isdir())
            yield Member(path, None if info.isdir() else partial(tar.extractfile, info))
        # `tarfile` stops at any block that is no header, but only a block of zeros is the end.
        if stream.last_read != bytes(_TAR_BLOCK):
            raise tarfile.ReadError("no end mark after the last file")
        while stream.read(_CHUNK):  # gzip verifies its checksum at the end
            pass
