"""Arrays from npz and npy files that other programs wrote: bounded in size, never unpickled."""

from __future__ import annotations

import hashlib
import io
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.printable import shown

__all__ = ["MAX_BYTES", "NpzArchive", "read_npy"]

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
        >>> archive.names
        ('landmarks',)
        >>> archive.read("landmarks").shape
        (2, 98, 2)
    """

    def __init__(self, path: Path) -> None:
        """Read the file; the arrays stay compressed until :meth:`read`.

        Raises:
            InputError: the file can't be read, is no zip archive, or has more than MAX_BYTES, packed or unpacked.
        """
        self._shown = shown(path)
        data = read_bounded(path, MAX_BYTES)
        self.hash = FileHash(name=path.name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _DAMAGED as error:
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
            return _read_array(self._zip.read(f"{name}.npy"))
        except _DAMAGED as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> InputError:
        if isinstance(error, MemoryError):
            return _too_large(self._shown)
        return InputError(
            f"{self._shown} is not an npz archive that can be read ({_first_line(error)}); write it with numpy.savez"
        )


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


def _read_array(data: bytes) -> NDArray[Any]:
    """Return the array of an npy file's bytes; its header is checked before memory is reserved for what it claims.

    Raises:
        ValueError: the file holds another number of bytes than its header claims; others as numpy's reader.
    """
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"format version {version[0]}.{version[1]}")
    shape, _, dtype = _HEADERS[version](stream)
    claimed, found = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if (min(shape, default=0) < 0 or claimed > found) and not dtype.hasobject:
        raise ValueError(f"its header claims {list(shape)!r:.60} values of type {dtype!s:.40}, it has {found:,} bytes")
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def _too_large(name: str) -> InputError:
    return InputError(f"{name} can't be read: not enough memory")


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, printable."""
    return shown((str(error).strip().splitlines() or [type(error).__name__])[0][:200])
