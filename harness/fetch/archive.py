"""Unpacking archives that come from elsewhere: zip, tar and tar.gz.

What is refused, and why headers are never believed:

* a name that is absolute, climbs with ``..``, or carries a drive letter or a backslash (CVE-2007-4559 and kin);
* links, devices, pipes, sparse files, encrypted members: a data set holds folders and plain files;
* a name twice, also when the two differ only in case or in Unicode normal form: on another file system the second
  would replace the first;
* more files, more bytes or a higher compression ratio than allowed, counted while reading (a zip's directory and a
  tar's header may state any size);
* an archive that ends early: gzip's checksum is read to the end, a tar must have its end mark, zip's CRCs are checked.

The files appear under a temporary sibling of the target, which is renamed when all is there.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["MARKER", "Member", "Origin", "kind_of", "peek", "unpack", "unpacked_from"]

#: Written into a folder that `unpack` made: which archive it came from.
MARKER = ".nmebench-archive.json"

_CHUNK = 1 << 18
#: Longest single read of a decompressed tar; `tarfile` reads a whole extended header at once.
_LONGEST_READ = 1 << 24
#: A ratio is judged once this many bytes came out: tiny archives of zeros are harmless.
_RATIO_FROM = 1 << 20
_BLOCK = 512

_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    struct.error,
    gzip.BadGzipFile,
    NotImplementedError,
    RuntimeError,
    UnicodeError,
    ValueError,
)


@dataclass(frozen=True)
class Member:
    """A plain file or folder of an archive: its path inside, and how to read it (folders: None)."""

    path: PurePosixPath
    open: Callable[[], IO[bytes]] | None


@dataclass
class _Bounds:
    """What one archive may still unpack to; every byte and name passes here."""

    archive: Path
    max_bytes: int
    max_files: int
    max_ratio: float
    packed: int
    bytes: int = 0
    files: int = 0
    kinds: dict[str, bool] = field(default_factory=dict)

    def name(self, raw: str, *, folder: bool) -> PurePosixPath:
        """The member's path, refused when it could leave the target or collide."""
        parts = raw.rstrip("/").split("/")
        parts = [part for part in parts if part not in ("", ".")] if raw[:1] != "/" else [""]
        unsafe = raw[:1] == "/" or "\\" in raw or "\0" in raw or ".." in parts or (bool(parts) and parts[0][1:2] == ":")
        if unsafe:
            raise _refused(
                self.archive,
                f"the member {shown(raw)!r} would be written outside the target",
                "relative names without ..",
            )
        # Folders are normally listed once by themselves and once in every file's path: only files must be new.
        keys = [unicodedata.normalize("NFC", "/".join(parts[: i + 1])).casefold() for i in range(len(parts))]
        for i, key in enumerate(keys):
            leaf = i == len(keys) - 1
            is_folder = folder or not leaf
            known = self.kinds.get(key)
            if known is None:
                self.kinds[key] = is_folder
            elif not (known and is_folder):
                raise _refused(
                    self.archive,
                    f"the member {shown(raw)!r} is there twice (names that differ in case only count as one)",
                    "every name once",
                )
        self.files += 1
        if self.files > self.max_files:
            raise _refused(self.archive, f"more than {self.max_files} members", f"at most {self.max_files}")
        return PurePosixPath(*parts)

    def count(self, size: int) -> None:
        """Count bytes that came out of a file."""
        self.bytes += size
        if self.bytes > self.max_bytes:
            raise _refused(self.archive, f"more than {self.max_bytes} bytes when unpacked", f"at most {self.max_bytes}")
        self.ratio(self.bytes)

    def ratio(self, unpacked: int) -> None:
        if unpacked > _RATIO_FROM and unpacked > self.max_ratio * max(self.packed, 1):
            raise _refused(
                self.archive,
                f"{unpacked} bytes and more out of {self.packed}",
                f"a compression ratio of at most {self.max_ratio:g}",
            )


def _refused(archive: Path, found: str, allowed: str) -> InputError:
    return InputError(
        f"{shown(archive)}: not unpacked: {found}; allowed: {allowed}; get the archive from its official page again"
    )


def _damaged(archive: Path, why: str) -> InputError:
    return InputError(
        f"{shown(archive)}: damaged or cut short ({why}); download it again, or unpack a good copy by hand"
    )


class _Bounded:
    """A decompressed stream for `tarfile` that refuses huge reads and too many bytes."""

    def __init__(self, stream: IO[bytes], bounds: _Bounds) -> None:
        self._stream = stream
        self._bounds = bounds
        # Headers and padding come on top of the files: at most three blocks for each.
        self._limit = bounds.max_bytes + (bounds.max_files + 1) * 3 * _BLOCK + _LONGEST_READ

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_READ:
            raise _refused(self._bounds.archive, f"a header of {size} bytes", f"at most {_LONGEST_READ}")
        data = self._stream.read(size)
        self._check()
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        # Seeking forward in gzip decompresses: in steps, so that a declared size can't make one endless call.
        if whence == 0:
            while (here := self._stream.tell()) < offset:
                reached = self._stream.seek(min(offset, here + _LONGEST_READ))
                self._check()
                if reached <= here:
                    return reached
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def _check(self) -> None:
        position = self._stream.tell()
        if position > self._limit:
            raise _refused(
                self._bounds.archive,
                f"more than {self._limit} bytes of tar",
                f"at most {self._bounds.max_bytes} bytes in {self._bounds.max_files} files",
            )
        self._bounds.ratio(position)


def kind_of(path: Path) -> str | None:
    """``zip``, ``tar.gz`` or ``tar`` by the file's first bytes, never by its name; None for anything else."""
    with path.open("rb") as file:
        head = file.read(265)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"):
        return "zip"
    if head[:2] == b"\x1f\x8b":
        return "tar.gz"
    return "tar" if head[257:262] == b"ustar" else None


def _zip_members(archive: Path, bounds: _Bounds) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            mode = info.external_attr >> 16
            # The upper half holds a Unix mode only when a Unix wrote the member; 0 means nothing stated.
            if info.create_system == 3 and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(
                    archive, f"the member {shown(info.filename)!r} is a link or a device", "plain files and folders"
                )
            if info.flag_bits & 1:
                raise _refused(archive, f"the member {shown(info.filename)!r} is encrypted", "members in the clear")
            # `orig_filename` still has the backslashes that `filename` may have lost.
            path = bounds.name(info.orig_filename, folder=info.is_dir())
            yield Member(path, None if info.is_dir() else partial(file.open, info))


def _tar_members(archive: Path, bounds: _Bounds, *, compressed: bool) -> Iterator[Member]:
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(archive.open("rb"))
        stream = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=raw))) if compressed else raw
        bounded = _Bounded(stream, bounds)
        tar = stack.enter_context(tarfile.open(fileobj=bounded, mode="r:", errors="surrogateescape"))  # type: ignore[call-overload]
        end = 0
        for info in tar:
            if not (info.isreg() or info.isdir()) or info.issparse():
                raise _refused(
                    archive, f"the member {shown(info.name)!r} is a link or a device", "plain files and folders"
                )
            path = bounds.name(info.name, folder=info.isdir())
            yield Member(path, None if info.isdir() else partial(_opened, tar, info))
            end = info.offset_data + (-(-info.size // _BLOCK) * _BLOCK if info.isreg() else 0)
        # `tarfile` takes a broken header in the middle for the end: only a block of zeros is the end.
        bounded.seek(end)
        if bounded.read(_BLOCK) != bytes(_BLOCK):
            raise _damaged(archive, "no end mark after the last file")
        while bounded.read(_CHUNK):  # gzip checks its CRC at the end
            pass


def _opened(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(info)
    if file is None:  # plain files alone come here
        raise tarfile.ReadError("a member without content")
    return file


@contextlib.contextmanager
def _one_line(archive: Path) -> Iterator[None]:
    """Every way in which reading a damaged archive can fail, as one line."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile) or error.errno is None:
            raise _damaged(archive, " ".join(str(error).split()) or type(error).__name__) from error
        raise InputError(
            f"{shown(error.filename or archive)}: {error.strerror}; nothing was put in place; "
            "make room or choose another folder and give the same command again"
        ) from error
    except _DAMAGED as error:
        raise _damaged(archive, shown(" ".join(str(error).split())) or type(error).__name__) from error


def peek(archive: Path, *, count: int = 200) -> list[str]:
    """Paths of the first files of an archive; [] for anything that isn't one or can't be read that far."""
    bounds = _Bounds(archive, 1 << 40, count, 1e9, archive.stat().st_size)
    found: list[str] = []
    try:
        with contextlib.closing(_members(archive, bounds)) as listed:
            found.extend(str(member.path) for member in listed if member.open is not None)
    except (InputError, OSError, *_DAMAGED):
        # Only a look: what came before the bound or the damage is enough to tell one archive from another.
        return found
    return found


def _members(archive: Path, bounds: _Bounds) -> Generator[Member, None, None]:
    kind = kind_of(archive)
    if kind is None:
        raise InputError(
            f"{shown(archive)}: not an archive (its first bytes are of no zip, tar or tar.gz); allowed: those three; "
            "if a browser saved a web page under this name, download the file itself"
        )
    if kind == "zip":
        yield from _zip_members(archive, bounds)
    else:
        yield from _tar_members(archive, bounds, compressed=kind == "tar.gz")


def _is_junk(path: PurePosixPath) -> bool:
    """What macOS adds to archives."""
    return "__MACOSX" in path.parts or path.name.startswith("._") or path.name == ".DS_Store"


@dataclass(frozen=True)
class Origin:
    """The archive that a folder was unpacked from."""

    archive: str
    sha256: str
    packed: int
    """Its length in bytes."""


def unpacked_from(target: Path) -> Origin | None:
    """The archive that `unpack` made this folder from, or None for a folder that something else made."""
    try:
        record: Any = json.loads((target / MARKER).read_text(encoding="utf-8"))
        return Origin(str(record["archive"]), str(record["sha256"]), int(record["packed"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def unpack(
    archive: Path,
    target: Path,
    *,
    max_bytes: int,
    max_files: int,
    max_ratio: float = 200.0,
    top: str | None = None,
    expects: Sequence[str] = (),
    sha256: str | None = None,
) -> Path:
    """Unpack an archive into ``target``: all of it, or nothing.

    Args:
        archive: a zip, tar or tar.gz, known by its content.
        target: folder that the files will be in; when it is there from the same archive, nothing is done.
        max_bytes: most bytes of all files together.
        max_files: most members, folders included.
        max_ratio: most unpacked bytes for a byte of archive.
        top: a folder that the archive may wrap everything in (``WFLW_images``); its content becomes the target's.
        expects: glob patterns under ``target``; each must match something.
        sha256: of the archive, when it is known already.

    Raises:
        InputError: the archive is refused or damaged, lacks an expected file, or ``target`` holds something else.
            Nothing is left behind.
    """
    with _one_line(archive):
        if sha256 is None:
            with archive.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if target.exists():
            made_from = unpacked_from(target)
            if made_from is not None and made_from.sha256 == sha256:
                return target
            raise InputError(
                f"{shown(target)}: is there already and wasn't unpacked from {shown(archive.name)}; "
                "move it away, or use it as it is"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        # What a killed run left: safe, because the caller holds the cache's lock.
        for stale in target.parent.glob(f".{target.name}.unpack-*"):
            shutil.rmtree(stale)
        work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.unpack-"))
        try:
            bounds = _Bounds(archive, max_bytes, max_files, max_ratio, archive.stat().st_size)
            inside = work / "files"
            inside.mkdir()
            with contextlib.closing(_members(archive, bounds)) as found:
                for member in found:
                    _write(member, inside, bounds, top)
            missing = [pattern for pattern in expects if next(inside.glob(pattern), None) is None]
            if missing:
                raise InputError(
                    f"{shown(archive)}: holds no {missing[0]}, expected: {', '.join(expects)}; it is another archive "
                    "than its name says, or an incomplete one"
                )
            marker = {
                "archive": archive.name,
                "bytes": bounds.bytes,
                "files": bounds.files,
                "packed": bounds.packed,
                "sha256": sha256,
            }
            (inside / MARKER).write_text(json.dumps(marker, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            inside.replace(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target


def _write(member: Member, inside: Path, bounds: _Bounds, top: str | None) -> None:
    parts = member.path.parts
    if top is not None and parts and parts[0] == top:
        parts = parts[1:]
    if not parts or _is_junk(member.path):
        return
    place = inside.joinpath(*parts)
    if member.open is None:
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    # "x": the names were checked; should two still meet in this file system, that is an error and not a choice.
    with member.open() as source, place.open("xb") as sink:
        while chunk := source.read(_CHUNK):
            bounds.count(len(chunk))
            sink.write(chunk)
    os.chmod(place, 0o644)  # noqa: PTH101 - Path.chmod follows links on some systems, this is our own file
