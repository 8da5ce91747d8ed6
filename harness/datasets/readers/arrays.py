"""Arrays from npz and npy files that other programs wrote: bounded in size, never unpickled."""

from __future__ import annotations

import hashlib
import io
import lzma
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from nmebench.bounded_read import open_bounded, read_bounded
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.printable import shown

__all__ = ["MAX_BYTES", "NpyRows", "NpzArchive", "read_npy"]

MAX_BYTES = 2**30
"""The largest file that is read, packed and unpacked; 2500 faces of 98 landmarks take 4 MB."""

#: Exceptions of zipfile, zlib, bz2, lzma and numpy's header parser for damaged or foreign files. RuntimeError covers
#: encrypted members, unknown compression methods and headers nested too deeply; LookupError covers missing members.
_DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)

#: Readers of the header by version. Version 3 differs from 2 in the encoding of field names only.
_HEADERS: Final = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}


class NpzArchive:
    """An npz file whose arrays are read by name.

    Attributes:
        names: names of the arrays, in the file's order.
        hash: name, SHA-256 and size of the file.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "truth.npz"
        ...     np.savez(file, landmarks=np.zeros((2, 98, 2)))
        ...     archive = NpzArchive(file)
        ...     archive.names, archive.read("landmarks").shape
        (('landmarks',), (2, 98, 2))
    """

    def __init__(self, path: Path) -> None:
        """Hash the file and read its list of arrays; each is read by :meth:`read`, and the file stays open.

        Raises:
            InputError: the file can't be read, is no zip archive, or has more than MAX_BYTES, packed or unpacked.
        """
        self._shown = shown(path)
        stream = open_bounded(path, MAX_BYTES)
        try:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
            self.hash = FileHash(name=path.name, sha256=digest, bytes=stream.tell())
            self._zip, self._status = zipfile.ZipFile(stream), _status(stream)
        except _DAMAGED as error:
            stream.close()
            raise self._unreadable(error) from error
        if sum(member.file_size for member in self._zip.infolist()) > MAX_BYTES:
            raise InputError(f"{self._shown} unpacks to more than {MAX_BYTES:,} bytes: is it the right file?")
        self.names: tuple[str, ...] = tuple(name.removesuffix(".npy") for name in self._zip.namelist())
        name, count = next(iter(Counter(self.names).most_common(1)), ("", 0))
        if count > 1:
            raise InputError(f"{self._shown} holds the array {shown(name)[:40]!r} {count} times; write each array once")

    def read(self, name: str) -> NDArray[Any]:
        """Return one array.

        Raises:
            InputError: there is no such array, it holds Python objects, or its data is damaged.
        """
        if name not in self.names:
            found = shown(", ".join(self.names) or "none")[:200]
            raise InputError(
                f"{self._shown}: no array {name!r} (found: {found}); name one with ::NAME, as in {self._shown}::NAME"
            )
        try:
            member = self._zip.getinfo(f"{name}.npy")
            with self._zip.open(member) as stream:
                _read_header(stream, member.file_size)
            with self._zip.open(member) as stream:
                array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
                stream.read()  # the end, where zipfile compares the checksum
            if _status(self._zip.fp) != self._status:
                raise ValueError("it changed while it was read")
            return array
        except _DAMAGED as error:
            raise self._unreadable(error) from error

    def __del__(self) -> None:
        """Close the file."""
        archive = getattr(self, "_zip", None)
        if archive is not None and archive.fp is not None:
            archive.fp.close()

    def _unreadable(self, error: Exception) -> InputError:
        if isinstance(error, MemoryError):
            return _too_large(self._shown)
        return InputError(
            f"{self._shown} is not an npz archive that can be read ({_first_line(error)}); write it with numpy.savez"
        )


def _status(stream: Any) -> tuple[int, int, int]:
    """Size and times of a file, which change when it is written to."""
    found = os.fstat(stream.fileno())
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_npy(path: Path) -> NDArray[Any]:
    """Return the array of an npy file.

    Raises:
        InputError: the file can't be read, has more than MAX_BYTES, is no npy file or holds Python objects.
    """
    data = read_bounded(path, MAX_BYTES)
    try:
        return _read_array(data)
    except MemoryError as error:
        raise _too_large(shown(path)) from error
    except _DAMAGED as error:
        raise InputError(
            f"{shown(path)} is not an npy array that can be read ({_first_line(error)}); write it with numpy.save"
        ) from error


class NpyRows:
    """The rows of an npy file, read when they are needed; use it as a context manager.

    Attributes:
        shape: the shape of the array.
        dtype: its type.
    """

    def __init__(self, path: Path, limit: int) -> None:
        """Open the file and read its header.

        Args:
            path: the file.
            limit: bytes of the largest file that is read.

        Raises:
            InputError: the file can't be read, is larger, is no npy file, holds Python objects, or has its numbers in
                Fortran's order.
        """
        self._path = path
        self._stream = open_bounded(path, limit)
        try:
            size = self._stream.seek(0, io.SEEK_END)
            self._stream.seek(0)
            self.shape, fortran, self.dtype = _read_header(self._stream, size)
            if fortran and len(self.shape) > 1:
                raise ValueError("its numbers are in Fortran's order")
            if self.dtype.hasobject or not self.shape:
                raise ValueError(f"it holds {self.dtype!s:.40} {list(self.shape)}")
        except _DAMAGED as error:
            self._stream.close()
            raise self._unreadable(error) from error
        self._offset = self._stream.tell()
        self._row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize

    def __enter__(self) -> Self:
        """Return the open file."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        self._stream.close()

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows from ``start`` to before ``stop``.

        Raises:
            InputError: the file is shorter than its header claimed.
        """
        wanted = (stop - start) * self._row_bytes
        try:
            self._stream.seek(self._offset + start * self._row_bytes)
            data = self._stream.read(wanted)
        except OSError as error:
            raise self._unreadable(error) from error
        if len(data) != wanted:
            raise self._unreadable(ValueError(f"it ends before row {stop}"))
        return np.frombuffer(data, self.dtype).reshape(stop - start, *self.shape[1:])

    def blocks(self, rows: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield at most ``rows`` rows at a time with their positions."""
        for start in range(0, self.shape[0], rows):
            stop = min(start + rows, self.shape[0])
            yield slice(start, stop), self.read(start, stop)

    def take(self, rows: Sequence[int]) -> NDArray[Any]:
        """Return some rows, in the given order."""
        found = [self.read(row, row + 1) for row in rows]
        return np.concatenate(found) if found else np.empty((0, *self.shape[1:]), self.dtype)

    def _unreadable(self, error: Exception) -> InputError:
        return InputError(
            f"{shown(self._path)} is not an npy array that can be read ({_first_line(error)}); write it with numpy.save"
        )


def _read_header(stream: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of an npy file of ``size`` bytes: shape, whether it is in Fortran's order, and type.

    Raises:
        ValueError: the file holds fewer bytes than its header claims; others as numpy's reader.
    """
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"format version {version[0]}.{version[1]}")
    shape, fortran, dtype = _HEADERS[version](stream)
    claimed, found = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if (min(shape, default=0) < 0 or claimed > found) and not dtype.hasobject:
        raise ValueError(f"its header claims {list(shape)!r:.60} values of type {dtype!s:.40}, it has {found:,} bytes")
    return shape, fortran, dtype


def _read_array(data: bytes) -> NDArray[Any]:
    """Return the array of an npy file's bytes; its header is checked before memory is reserved for what it claims.

    Raises:
        ValueError: as for :func:`_read_header`.
    """
    stream = io.BytesIO(data)
    _read_header(stream, len(data))
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def _too_large(name: str) -> InputError:
    return InputError(f"{name} can't be read: not enough memory")


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, printable."""
    return shown((str(error).strip().splitlines() or [type(error).__name__])[0][:200])
