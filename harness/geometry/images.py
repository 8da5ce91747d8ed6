"""Photographs: bounded reads that detect truncated files and are bit-identical with mmpose's ``LoadImage``.

Photographs are decoded by ``cv2.imdecode`` with ``IMREAD_COLOR`` to 8-bit BGR, whatever the file holds (grey, palette,
alpha, CMYK, 16 bits shifted to 8). **EXIF orientation is applied**, as in mmcv (its flag ``color`` is ``IMREAD_COLOR``;
only ``unchanged`` and ``color_ignore_orientation`` ignore the orientation). The official HRNet code reads with PIL and
ignores it.

Some OpenCV versions decode a truncated JPEG silently, with grey below the cut. So the end of the file is checked first:
a JPEG's markers up to its end-of-image marker, a PNG's chunks up to IEND. Damage inside the compressed data that leaves
those in place is not detected unless the decoder refuses it.
"""

from __future__ import annotations

import io
import os
import re
import zlib
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["MAX_BYTES", "MAX_PIXELS", "Header", "header", "read"]

MAX_BYTES = 256 * 2**20
"""The largest image file that is read."""
MAX_PIXELS = 100_000_000
"""The largest photograph that is decoded: 300 MB of memory. A file of 20 bytes may declare any size."""

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"
# In JPEG's compressed data 0xFF is followed by 0x00 (a stuffed byte), by a restart marker or by fill bytes.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class Header(NamedTuple):
    """Size and completeness of an encoded image."""

    width: int
    """px, before EXIF orientation is applied."""
    height: int
    complete: bool
    """True when the file contains the end of the image."""


def read(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a photograph and apply its EXIF orientation.

    Returns:
        ``[H, W, 3]`` uint8 BGR.

    Raises:
        InputError: the file is missing, not a regular file, unreadable, empty, larger than MAX_BYTES, not an image,
            truncated, or declares more than MAX_PIXELS pixels. The declared size is checked before decoding.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "dot.png"
        ...     _ = cv2.imwrite(str(file), np.full((1, 1, 3), 77, np.uint8))
        ...     read(file).tolist()
        [[[77, 77, 77]]]
    """
    name = shown(path)
    data = read_bounded(Path(path), MAX_BYTES, kind="image")
    if not data:
        raise InputError(f"image {name} is empty (0 bytes)")
    found = header(data, name=name)
    if found.width * found.height > MAX_PIXELS:
        raise InputError(
            f"image {name} declares {found.width} x {found.height} pixels: up to {MAX_PIXELS:,} are decoded"
        )
    if not found.complete:
        raise InputError(f"image {name} is truncated: its end is missing; download or copy it again")
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputError(f"image {name} can't be decoded: {_first_line(error)}") from error
    if image is None:
        raise InputError(f"image {name} can't be decoded: its data is damaged or of an unknown kind")
    return np.asarray(image, dtype=np.uint8)


def header(data: bytes, *, name: str = "image") -> Header:
    """Return size and completeness of an encoded image, without decoding JPEG and PNG data.

    Args:
        data: the file's bytes.
        name: the file, for messages.

    Raises:
        InputError: the bytes are not an image, or are a damaged PNG.

    Example:
        >>> png = cv2.imencode(".png", np.zeros((2, 3, 3), np.uint8))[1].tobytes()
        >>> header(png)
        Header(width=3, height=2, complete=True)
        >>> header(png[:-12]).complete
        False
    """
    if data.startswith(_JPEG):
        found = _jpeg_header(data)
    elif data.startswith(_PNG):
        found = _png_header(data, name)
    else:
        found = _other_header(data, name)
    if found.width < 1 or found.height < 1:
        if not found.complete:
            raise InputError(f"image {name} is truncated: its end is missing; download or copy it again")
        raise InputError(f"image {name} declares {found.width} x {found.height} pixels")
    return found


def _jpeg_header(data: bytes) -> Header:
    """Read a JPEG's markers. Thumbnails are inside segments, which are skipped."""
    width = height = 0
    position = 2
    while match := _JPEG_MARKER.search(data, position):
        marker = match[1][0]
        position = match.end()
        if marker == 0xD9:
            return Header(width, height, complete=True)
        if marker == 0x01 or marker == 0xD8:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        if marker in _JPEG_FRAMES and length >= 7 and not width:
            height = int.from_bytes(data[position + 3 : position + 5], "big")
            width = int.from_bytes(data[position + 5 : position + 7], "big")
        position += max(length, 2)
    return Header(width, height, complete=False)


def _png_header(data: bytes, name: str) -> Header:
    """Read a PNG's chunks and check their CRCs: OpenCV trusts a chunk's length, so 119 bytes can allocate 4 GB."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    position = len(_PNG)
    seen: set[bytes] = set()
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        if end + 4 > len(data) and kind.isalpha():
            break
        if zlib.crc32(data[position + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise InputError(f"image {name} is a damaged PNG: a check sum is wrong; download or copy it again")
        seen.add(kind)
        if kind == b"IEND":
            if not {b"IHDR", b"IDAT"} <= seen:
                raise InputError(f"image {name} is a damaged PNG: it holds no picture")
            return Header(width, height, complete=True)
        position = end + 4
    return Header(width, height, complete=False)


def _other_header(data: bytes, name: str) -> Header:
    """Read the header of a BMP, WebP, TIFF, GIF, ... with Pillow, which also decodes it to detect truncation."""
    try:
        with PIL.Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                return Header(width, height, complete=True)
            try:
                picture.load()
            except (OSError, EOFError, SyntaxError):
                return Header(width, height, complete=False)
            return Header(width, height, complete=True)
    except PIL.Image.DecompressionBombError as error:
        raise InputError(f"image {name} declares more pixels than are decoded ({MAX_PIXELS:,})") from error
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError, PIL.UnidentifiedImageError) as error:
        raise InputError(f"image {name} is not an image that can be read (JPEG and PNG are usual)") from error


def _first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
