"""Photographs: bounded reads that detect truncated files and are bit-identical with mmpose's ``LoadImage``.

Photographs are decoded by ``cv2.imdecode`` with ``IMREAD_COLOR`` to 8-bit BGR, whatever the file holds (grey, palette,
alpha, CMYK, 16 bits shifted to 8). **EXIF orientation is applied**, as in mmcv (its flag ``color`` is ``IMREAD_COLOR``;
only ``unchanged`` and ``color_ignore_orientation`` ignore the orientation). The official HRNet code reads with PIL and
ignores it.

The formats of ALLOWED are opened, whatever the file is called. Pillow alone would also open PostScript, for which it
starts Ghostscript, and formats that OpenCV can't decode.

OpenCV decodes a truncated JPEG silently, with grey below the cut. So the end of the file is checked first: a JPEG's
markers up to its end-of-image marker, a PNG's chunks up to IEND. A JPEG may be cut and still have an end marker,
because some programs append one. An exact test finds such a file: bytes inserted before the end marker change the
picture only where data is missing. A JPEG without an end marker is read when its picture is complete by the same test.
Changed bytes inside a JPEG's compressed data are not detected unless the decoder refuses them.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["ALLOWED", "MAX_BYTES", "MAX_PIXELS", "Header", "header", "lacks_end_marker", "open_header", "read"]

ALLOWED: Final = ("JPEG", "PNG", "BMP", "WebP", "TIFF", "GIF", "JPEG 2000")
"""The formats that are read, recognised by their content."""

MAX_BYTES = 256 * 2**20
"""The largest image file that is read."""
MAX_PIXELS = 100_000_000
"""The largest photograph that is decoded: 300 MB of memory. A file of 20 bytes may declare any size."""

_PILLOW_FORMATS: Final = ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")

#: Exceptions of Pillow's parsers for damaged files.
_DAMAGED: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

#: Beginnings of files that are images, or often stand in for one, of other formats; for messages.
_OTHER_FORMATS: Final[Mapping[bytes, str]] = MappingProxyType(
    {
        b"%!PS": "PostScript",
        b"\xc5\xd0\xd3\xc6": "PostScript",
        b"%PDF": "PDF",
        b"BLP": "BLP",
        b"DDS ": "DDS",
        b"8BPS": "Photoshop",
        b"\x00\x00\x01\x00": "ICO",
        b"#?RADIANCE": "Radiance HDR",
        b"v/1\x01": "OpenEXR",
        b"<svg": "SVG",
        b"<?xml": "XML",
        b"<html": "HTML",
        b"<!doctype html": "HTML",
        b"\x1f\x8b": "gzip",
        b"PK\x03\x04": "zip",
    }
)
_BOX_BRANDS: Final = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF"}

_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
#: Entropy-coded data that no encoder wrote: 512 bytes without 0xFF, which starts a marker.
_FOREIGN: Final = bytes(np.random.default_rng(0).integers(0, 255, 512, dtype=np.uint8))
#: The decoder's fill for missing data.
_FILL: Final = 128
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
    jpeg = _jpeg_structure(data) if data.startswith(_JPEG) else None
    if jpeg is not None and jpeg.end is None:
        data = _with_end_marker(data, jpeg)
    if jpeg is None and not found.complete:
        data = b""
    if not data:
        raise InputError(f"image {name} is truncated: its end is missing; download or copy it again")
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputError(f"image {name} can't be decoded: {_first_line(error)}") from error
    if image is None:
        raise InputError(f"image {name} can't be decoded: its data is damaged or of an unknown kind")
    picture = np.asarray(image, dtype=np.uint8)
    if jpeg is not None and jpeg.end is not None and _may_be_filled(picture, jpeg) and not _scan_ends(data[: jpeg.end]):
        raise InputError(
            f"image {name} is truncated: it has an end marker, but its data ends before the picture does; download or "
            "copy it again"
        )
    return picture


def lacks_end_marker(data: bytes) -> bool:
    """Return whether the bytes are a JPEG without an end-of-image marker.

    :func:`read` accepts such a file when its picture is complete; Pillow and other readers may refuse it.

    Example:
        >>> jpeg = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
        >>> lacks_end_marker(jpeg), lacks_end_marker(jpeg[:-2])
        (False, True)
    """
    return data.startswith(_JPEG) and _jpeg_structure(data).end is None


def open_header(path: str | os.PathLike[str]) -> PIL.Image.Image:
    """Open an image of one of the formats ALLOWED with Pillow, for its size and metadata.

    Raises:
        OSError: the file can't be read, or has another format.
    """
    return PIL.Image.open(path, formats=_PILLOW_FORMATS)


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


class _Jpeg(NamedTuple):
    """The structure of a JPEG."""

    width: int
    height: int
    end: int | None
    """Position of the end-of-image marker; None without one."""
    unusual: bool
    """True when missing data isn't shown as plain grey: several scans, four channels."""
    sent: bool
    """True when the scans cover all coefficients of all channels in full precision."""


def _jpeg_structure(data: bytes) -> _Jpeg:
    """Read a JPEG's markers. Thumbnails are inside segments, which are skipped."""
    width = height = 0
    channels: dict[int, list[int]] = {}
    position = 2
    scans = 0
    end = None
    while match := _JPEG_MARKER.search(data, position):
        marker = match[1][0]
        position = match.end()
        if marker == 0xD9:
            end = match.start()
            break
        if marker == 0x01 or marker == 0xD8:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        segment = data[position + 2 : position + length]
        if marker in _JPEG_FRAMES and length >= 7 and not width:
            height = int.from_bytes(segment[1:3], "big")
            width = int.from_bytes(segment[3:5], "big")
            channels = {identity: [1] * 64 for identity in segment[6::3]}
        if marker == 0xDA and segment:
            scans += 1
            _record_scan(segment, channels)
        position += max(length, 2)
    sent = bool(channels) and not any(bit for bits in channels.values() for bit in bits)
    return _Jpeg(width, height, end, unusual=scans > 1 or len(channels) > 3, sent=sent)


def _record_scan(segment: bytes, channels: dict[int, list[int]]) -> None:
    """Record the lowest bit that a scan sends of each coefficient; 0 is full precision."""
    count = segment[0]
    if len(segment) < 4 + 2 * count:
        return
    first, last, precision = segment[1 + 2 * count : 4 + 2 * count]
    for identity in segment[1 : 1 + 2 * count : 2]:
        if identity in channels:
            for index in range(first, min(last, 63) + 1):
                channels[identity][index] = precision & 15


def _jpeg_header(data: bytes) -> Header:
    found = _jpeg_structure(data)
    return Header(found.width, found.height, complete=found.end is not None)


def _with_end_marker(data: bytes, jpeg: _Jpeg) -> bytes:
    """Return a JPEG without an end marker with one, or nothing when its picture is incomplete.

    Zeros at the end are no data: some programs pad a file to a multiple of a block.
    """
    scans = data.rstrip(b"\0")
    if scans.endswith(b"\xff"):
        # 0xFF 0x00 is a byte 0xFF of the data; 0xFF alone is the first half of the end marker.
        scans = scans + b"\0" if len(scans) < len(data) else scans[:-1]
    return scans + _JPEG_END if jpeg.sent and _scan_ends(scans) else b""


def _may_be_filled(image: NDArray[np.uint8], jpeg: _Jpeg) -> bool:
    """Return whether the end of a picture may be the decoder's fill.

    The last pixel is in one of the corners, whatever the EXIF orientation is. In progressive and four-channel files the
    fill has no fixed colour.
    """
    return jpeg.unusual or bool(np.any(np.all(image[[0, 0, -1, -1], [0, -1, 0, -1]] == _FILL, axis=-1)))


def _scan_ends(scans: bytes) -> bool:
    """Return whether the last scan of a JPEG holds the data of all its pixels.

    A decoder skips bytes that follow the last pixel's data, so foreign bytes there change the picture only where data
    is missing. Pillow decodes both, because OpenCV prints libjpeg's warnings.

    Args:
        scans: the file up to its end-of-image marker.
    """
    try:
        pictures = []
        for data in (scans + _JPEG_END, scans + _FOREIGN + _JPEG_END):
            with PIL.Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
                picture.load()
                pictures.append(picture.tobytes())
    except _DAMAGED:
        return False
    return pictures[0] == pictures[1]


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
    """Read the header of a BMP, WebP, TIFF, GIF or JPEG 2000 with Pillow, which decodes it to detect truncation."""
    try:
        with PIL.Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                return Header(width, height, complete=True)
            try:
                picture.load()
            except _DAMAGED:
                return Header(width, height, complete=False)
            return Header(width, height, complete=True)
    except PIL.Image.DecompressionBombError as error:
        raise InputError(f"image {name} declares more pixels than are decoded ({MAX_PIXELS:,})") from error
    except _DAMAGED as error:
        found = _other_format(data)
        kind = f": it is {found}" if found else ""
        raise InputError(
            f"image {name} is not an image that can be read{kind}; use {', '.join(ALLOWED[:-1])} or {ALLOWED[-1]}"
        ) from error


def _other_format(data: bytes) -> str:
    """Return the name of a format that is not read, from the file's first bytes; empty when it is not known."""
    start = data[:64].lstrip().lower()
    if data[4:8] == b"ftyp":
        return _BOX_BRANDS.get(data[8:12], "HEIF or video")
    if len(data) > 3 and data[:1] == b"P" and data[1:2] in b"1234567fF" and data[2:3].isspace():
        return "PNM"
    known = (
        name for magic, name in _OTHER_FORMATS.items() if data.startswith(magic) or start.startswith(magic.lower())
    )
    return next(known, "")


def _first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
