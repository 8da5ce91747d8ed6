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
from nmebench.geometry import jpeg
from nmebench.printable import shown

__all__ = ["ALLOWED", "MAX_BYTES", "MAX_PIXELS", "Header", "header", "lacks_end_marker", "open_header", "read"]

ALLOWED: Final = ("JPEG", "PNG", "BMP", "WebP", "TIFF", "GIF", "JPEG 2000")
"""The formats that are read, recognised by their content."""

MAX_BYTES = 256 * 2**20
"""The largest image file that is read."""
MAX_PIXELS = 100_000_000
"""The largest photograph that is decoded: 300 MB of memory. A file of 20 bytes may declare any size."""

_PILLOW_FORMATS: Final = ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")

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

_PNG = b"\x89PNG\r\n\x1a\n"


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
    parts = jpeg.structure(data) if data.startswith(jpeg.START) else None
    if parts is not None and parts.end is None:
        data = jpeg.with_end_marker(data, parts)
    if parts is None and not found.complete:
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
    if (
        parts is not None
        and parts.end is not None
        and jpeg.may_be_filled(picture, parts)
        and not jpeg.scan_ends(data[: parts.end])
    ):
        raise InputError(
            f"image {name} is truncated: it has an end marker, but its data ends before the picture does; download or "
            "copy it again"
        )
    return picture


def lacks_end_marker(data: bytes) -> bool:
    """Return whether the bytes are a JPEG without an end-of-image marker.

    :func:`read` accepts such a file when its picture is complete; Pillow and other readers may refuse it.

    Example:
        >>> photograph = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
        >>> lacks_end_marker(photograph), lacks_end_marker(photograph[:-2])
        (False, True)
    """
    return data.startswith(jpeg.START) and jpeg.structure(data).end is None


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
    if data.startswith(jpeg.START):
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
    found = jpeg.structure(data)
    return Header(found.width, found.height, complete=found.end is not None)


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
            except jpeg.DAMAGED:
                return Header(width, height, complete=False)
            return Header(width, height, complete=True)
    except PIL.Image.DecompressionBombError as error:
        raise InputError(f"image {name} declares more pixels than are decoded ({MAX_PIXELS:,})") from error
    except jpeg.DAMAGED as error:
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
