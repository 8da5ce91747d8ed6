"""Unpack zip, tar and tar.gz archives from the internet: every file, or nothing.

`tarfile` and `zipfile` read the archives, but their safeguards are too weak for downloads: ``tarfile.data_filter``
strips a leading slash and keeps links, ``ZipFile.extract`` silently drops ``..``, and neither limits sizes or notices
names that collide. Therefore `_Limits` checks every member before it is written. It refuses

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
import json
import shutil
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from nmebench.bounded_read import read_json
from nmebench.errors import InputError
from nmebench.files import file_sha256
from nmebench.printable import shown

__all__ = ["MARKER", "Origin", "archive_kind", "list_files", "read_origin", "unpack"]

#: File that `unpack` writes into the folder it makes; it names the archive.
MARKER = ".nmebench-archive.json"

_CHUNK = 1 << 18
#: Longest single read of a tar, in bytes.
_MAX_READ = 1 << 24
#: The compression ratio is checked from this many unpacked bytes on, because small files of zeros are harmless.
_MIN_RATIO_BYTES = 1 << 20
_MAX_RATIO = 200.0
_TAR_BLOCK = 512
_MAX_MARKER = 1 << 20

_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)


@dataclass(frozen=True)
class _Member:
    """A plain file or a folder in an archive; ``open`` is None for folders."""

    path: PurePosixPath
    open: Callable[[], IO[bytes] | None] | None


class _Limits:
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
        return InputError(
            f"{shown(self.archive)}: not unpacked: {found}; allowed: {allowed}; download the archive again from its "
            "official page"
        )


class _TarStream:
    """A decompressed tar that refuses huge reads and limits the bytes read in total.

    `tarfile` reads an extended header in one piece, whatever length it states.
    """

    def __init__(self, stream: IO[bytes], limits: _Limits) -> None:
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


def _members(limits: _Limits) -> Generator[_Member, None, None]:
    """Yield the checked members of an archive in their order; each must be read before the next one is requested."""
    kind = archive_kind(limits.archive)
    if kind is None:
        raise InputError(
            f"{shown(limits.archive)}: not an archive (its first bytes are not those of a zip, tar or tar.gz); if a "
            "browser saved a web page under this name, download the file itself"
        )
    yield from _zip_members(limits) if kind == "zip" else _tar_members(limits, compressed=kind == "tar.gz")


def _zip_members(limits: _Limits) -> Iterator[_Member]:
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
            yield _Member(path, None if info.is_dir() else partial(file.open, info))


def _tar_members(limits: _Limits, *, compressed: bool) -> Iterator[_Member]:
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
            yield _Member(path, None if info.isdir() else partial(tar.extractfile, info))
        # `tarfile` stops at any block that is no header, but only a block of zeros is the end.
        if stream.last_read != bytes(_TAR_BLOCK):
            raise tarfile.ReadError("no end mark after the last file")
        while stream.read(_CHUNK):  # gzip verifies its checksum at the end
            pass


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
        limits = _Limits(archive, max_bytes=1 << 40, max_files=count, max_ratio=_MAX_RATIO)
        with contextlib.closing(_members(limits)) as members:
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
            limits = _Limits(archive, max_bytes=max_bytes, max_files=max_files, max_ratio=max_ratio)
            with contextlib.closing(_members(limits)) as members:
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


def _write(member: _Member, folder: Path, top: str | None) -> None:
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
